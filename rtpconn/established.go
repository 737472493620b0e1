package rtpconn

import "github.com/pion/webrtc/v4"

// Established tells whether the connection stands, or has stood and may come
// back by itself.
func (p *peer) Established() bool {
	switch p.pc.ConnectionState() {
	case webrtc.PeerConnectionStateConnected, webrtc.PeerConnectionStateDisconnected:
		return true
	default:
		return false
	}
}
