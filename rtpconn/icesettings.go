package rtpconn

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/pion/webrtc/v4"
)

// NewSettingEngine returns the settings that all connections of an engine with
// these options share, for who has to be like them.
func NewSettingEngine(o Options) (webrtc.SettingEngine, error) {
	o.Log = cmp.Or(o.Log, slog.Default())
	return newSettings(o)
}

// How long we wait for a better pair of candidates when we choose (RFC 8445
// §8.1.1). We are reachable as we are, so that what is behind a NAT, whose
// candidates are server- or peer-reflexive, is no worse than a host; the wait is
// for UDP to overtake TCP, which takes a round trip more. A relay on the way is
// worse.
const (
	reflexiveWait = 50 * time.Millisecond
	relayWait     = 500 * time.Millisecond
)

// configureReachability sets how peers reach us, other than by UDP on the
// addresses that this machine has, and how we choose.
func configureReachability(s *webrtc.SettingEngine, o Options) error {
	if o.TCPMux != nil {
		s.SetICETCPMux(o.TCPMux)
		s.SetNetworkTypes([]webrtc.NetworkType{
			webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6,
		})
	}
	s.SetICEMaxBindingRequests(maxBindingRequests)
	s.SetSrflxAcceptanceMinWait(reflexiveWait)
	s.SetPrflxAcceptanceMinWait(reflexiveWait)
	s.SetRelayAcceptanceMinWait(relayWait)
	if o.MDNS {
		return nil // names hide all addresses: Pion would refuse to offer others
	}
	if err := s.SetICEAddressRewriteRules(publicAddressRules(o.PublicAddresses)...); err != nil {
		return fmt.Errorf("rtpconn: public addresses %v: %w", o.PublicAddresses, err)
	}
	return nil
}

// publicAddressRules adds a candidate with the public address of its family to
// each host candidate. Those inside the NAT stay: peers on our side of it, and
// the built-in TURN server, may have no way through it.
func publicAddressRules(addresses []netip.Addr) []webrtc.ICEAddressRewriteRule {
	var rules []webrtc.ICEAddressRewriteRule
	for _, a := range addresses {
		rules = append(rules, webrtc.ICEAddressRewriteRule{
			External:        []string{a.String()},
			AsCandidateType: webrtc.ICECandidateTypeHost,
			Mode:            webrtc.ICEAddressRewriteAppend,
		})
	}
	return rules
}
