package loadtest

import (
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/pion/ice/v4"
)

// A port is the UDP port of one peer connection.
type port interface {
	ice.UDPMux
	// attach hands the RTP packets of the agent with this local user name fragment to r.
	attach(ufrag string, r receiver)
	// gather makes what is sent wait for release, where the system can send several datagrams at once.
	gather()
	release()
}

// receiver is what sees RTP packets first.
type receiver interface {
	// arrived takes a packet that came at a time of the run's clock. b is valid during the call. It reports whether Pion is not
	// to see it. It must not block.
	arrived(b []byte, at int64) bool
}

// isRTP tells RTP from all else on a port (RFC 7983 §7, RFC 5761 §4).
func isRTP(b []byte) bool {
	return len(b) >= rtpHeader && b[0]>>6 == 2 && (b[1] < 192 || b[1] > 223)
}

// userFragment finds the ICE user name fragment in a session description (RFC 8839 §5.4).
func userFragment(sdp string) string {
	_, rest, _ := strings.Cut(sdp, "a=ice-ufrag:")
	fragment, _, _ := strings.Cut(rest, "\r\n")
	return fragment
}

// Addresses that stand for the rest of the world (RFC 5737, RFC 3849). Nothing is sent to them.
const (
	anywhere4 = "192.0.2.1:9"
	anywhere6 = "[2001:db8::1]:9"
)

// localAddresses returns the addresses, at most one per family, from which this machine reaches the server with the given URL, or else
// the world. They may be loopback addresses.
func localAddresses(server string) []netip.Addr {
	var local []netip.Addr
	add := func(network, remote string) {
		ip, ok := sourceFor(network, remote)
		if ok && (len(local) == 0 || local[0].Is4() != ip.Is4()) {
			local = append(local, ip)
		}
	}
	if u, err := url.Parse(server); err == nil {
		add("udp", net.JoinHostPort(u.Hostname(), "9"))
	}
	add("udp4", anywhere4)
	add("udp6", anywhere6)
	return local
}

// sourceFor returns the address that the system would send from.
func sourceFor(network, remote string) (netip.Addr, bool) {
	c, err := net.Dial(network, remote) //nolint:noctx // it sends nothing and waits for a name at most
	if err != nil {
		return netip.Addr{}, false
	}
	defer func() { _ = c.Close() }()
	udp, ok := c.LocalAddr().(*net.UDPAddr)
	if !ok {
		return netip.Addr{}, false
	}
	ip := udp.AddrPort().Addr().Unmap()
	return ip, !ip.IsLinkLocalUnicast()
}
