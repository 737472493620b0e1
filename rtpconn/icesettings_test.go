package rtpconn

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"

	"galene/pionlog"
	"galene/tcpmux"
	"galene/udpmux"
)

// hostCandidates are those of a connection with the options, as
// "protocol address:port".
func hostCandidates(t *testing.T, o Options) []string {
	t.Helper()
	settings, err := NewSettingEngine(o)
	if err != nil {
		t.Fatal(err)
	}
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	defer pc.GracefulClose()
	if _, err := pc.CreateDataChannel("x", nil); err != nil {
		t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	offer, err := pc.CreateOffer(nil)
	if err == nil {
		err = pc.SetLocalDescription(offer)
	}
	if err != nil {
		t.Fatal(err)
	}
	<-gathered
	var candidates []string
	for line := range strings.SplitSeq(pc.LocalDescription().SDP, "\r\n") {
		text, ok := strings.CutPrefix(line, "a=candidate:")
		if !ok {
			continue
		}
		c, err := ice.UnmarshalCandidate(text)
		if err != nil {
			t.Fatal(err)
		}
		if c.Type() == ice.CandidateTypeHost {
			network := strings.TrimRight(c.NetworkType().String(), "46")
			candidates = append(candidates, fmt.Sprintf("%s %s", network, net.JoinHostPort(c.Address(), fmt.Sprint(c.Port()))))
		}
	}
	return candidates
}

func TestPublicAddressesAreOfferedBesideOurOwn(t *testing.T) {
	t.Parallel()
	public := []netip.Addr{netip.MustParseAddr("203.0.113.7")}
	mux, err := udpmux.Listen(udpmux.Options{Loopback: true, Log: discardLog()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mux.Close() })
	listener, err := net.ListenTCP("tcp", nil)
	if err != nil {
		t.Fatal(err)
	}
	tcp := tcpmux.New(listener, discardLog())
	t.Cleanup(func() { _ = tcp.Close() })
	udpPort, tcpPort := mux.Port(), listener.Addr().(*net.TCPAddr).Port

	tests := []struct {
		name    string
		options Options
		want    []string // prefixes of candidates
		absent  []string
	}{
		{
			"no NAT",
			Options{Mux: mux},
			[]string{fmt.Sprintf("udp 127.0.0.1:%d", udpPort)},
			[]string{"udp 203.", "tcp"},
		},
		{
			"one port",
			Options{Mux: mux, PublicAddresses: public},
			[]string{fmt.Sprintf("udp 127.0.0.1:%d", udpPort), fmt.Sprintf("udp 203.0.113.7:%d", udpPort)},
			[]string{"tcp"},
		},
		{
			"ports of the system's choice",
			Options{PublicAddresses: public},
			[]string{"udp 127.0.0.1:", "udp 203.0.113.7:"},
			[]string{"tcp"},
		},
		{
			"TCP",
			Options{Mux: mux, TCPMux: tcp},
			[]string{fmt.Sprintf("udp 127.0.0.1:%d", udpPort), fmt.Sprintf("tcp 127.0.0.1:%d", tcpPort)},
			[]string{"tcp 203."},
		},
		{
			"TCP behind a NAT",
			Options{Mux: mux, TCPMux: tcp, PublicAddresses: public},
			[]string{fmt.Sprintf("tcp 127.0.0.1:%d", tcpPort), fmt.Sprintf("tcp 203.0.113.7:%d", tcpPort)},
			nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := tt.options
			o.Loopback, o.Log = true, discardLog()
			got := hostCandidates(t, o)
			has := func(prefix string) bool {
				return slices.ContainsFunc(got, func(c string) bool { return strings.HasPrefix(c, prefix) })
			}
			for _, want := range tt.want {
				if !has(want) {
					t.Errorf("candidates %v, want %s among them", got, want)
				}
			}
			for _, bad := range tt.absent {
				if has(bad) {
					t.Errorf("candidates %v, want none of %s", got, bad)
				}
			}
		})
	}
}

func TestAddressesAreHiddenBehindNames(t *testing.T) {
	t.Parallel()
	mux, err := udpmux.Listen(udpmux.Options{Loopback: true, Log: discardLog()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mux.Close() })
	for _, o := range []Options{{Mux: mux}, {}} {
		o.Loopback, o.Log, o.MDNS = true, discardLog(), true
		o.PublicAddresses = []netip.Addr{netip.MustParseAddr("203.0.113.7")}
		got := hostCandidates(t, o)
		if len(got) == 0 {
			t.Errorf("one port: %v: there are no candidates", o.Mux != nil)
		}
		for _, c := range got {
			if !regexp.MustCompile(`^udp [0-9a-f-]+\.local:\d+$`).MatchString(c) {
				t.Errorf("one port: %v: candidate %s, want a name", o.Mux != nil, c)
			}
		}
	}
}

// Behind a NAT, media arrives all the same: the candidate outside and the one
// inside are one socket.
func TestPeerConnectsToThePublicAddressAlone(t *testing.T) {
	t.Parallel()
	mux, err := udpmux.Listen(udpmux.Options{Loopback: true, Log: discardLog()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mux.Close() })
	// Another loopback address stands for the one outside.
	options := Options{
		Mux: mux, Loopback: true, Log: discardLog(),
		PublicAddresses: []netip.Addr{netip.MustParseAddr("127.0.0.2")},
	}
	settings, err := NewSettingEngine(options)
	if err != nil {
		t.Fatal(err)
	}
	near, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = near.GracefulClose() })
	outside := webrtc.SettingEngine{LoggerFactory: pionlog.New(discardLog())}
	outside.SetIncludeLoopbackCandidate(true)
	outside.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	far, err := webrtc.NewAPI(webrtc.WithSettingEngine(outside)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.GracefulClose() })

	done := connected(far)
	if _, err := near.CreateDataChannel("x", nil); err != nil {
		t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(near)
	offer, err := near.CreateOffer(nil)
	if err == nil {
		err = near.SetLocalDescription(offer)
	}
	if err != nil {
		t.Fatal(err)
	}
	<-gathered
	var lines []string
	for line := range strings.SplitSeq(near.LocalDescription().SDP, "\r\n") {
		if !strings.HasPrefix(line, "a=candidate:") || strings.Contains(line, " 127.0.0.2 ") {
			lines = append(lines, line)
		}
	}
	seen := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: strings.Join(lines, "\r\n")}
	if err := far.SetRemoteDescription(seen); err != nil {
		t.Fatal(err)
	}
	gathered = webrtc.GatheringCompletePromise(far)
	answer, err := far.CreateAnswer(nil)
	if err == nil {
		err = far.SetLocalDescription(answer)
	}
	if err != nil {
		t.Fatal(err)
	}
	<-gathered
	if err := near.SetRemoteDescription(*far.LocalDescription()); err != nil {
		t.Fatal(err)
	}
	within(t, "connection", done)
}

func TestNewConnectionsHaveThePublicAddressesOfTheMoment(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	for _, address := range []string{"203.0.113.7", "203.0.113.8", ""} {
		var public []netip.Addr
		if address != "" {
			public = append(public, netip.MustParseAddr(address))
		}
		if err := e.SetPublicAddresses(public); err != nil {
			t.Fatal(err)
		}
		answer := newTestViewer(t, e, hear).exchange(false)
		if got := strings.Contains(answer, " 203."); got != (address != "") || !strings.Contains(answer, " "+address) {
			t.Errorf("with the public address %q the answer is\n%s", address, answer)
		}
	}
}
