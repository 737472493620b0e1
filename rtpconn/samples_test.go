package rtpconn

import (
	"encoding/binary"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// sample makes payloads of a codec: as little as our parser must understand,
// with the number of the packet at the end.
type sample struct {
	name     string
	mime     string
	keyframe []byte // begins a keyframe
	delta    []byte // begins another frame
	rate     uint32
}

var (
	vp8  = sample{"VP8", webrtc.MimeTypeVP8, []byte{0x10, 0x50, 0, 0, 0x9d, 0x01, 0x2a, 64, 0, 48, 0}, []byte{0x10, 0x51, 0, 0}, 90000}
	vp9  = sample{"VP9", webrtc.MimeTypeVP9, []byte{0x0c, 0x82, 0x49, 0x83, 0x42, 0, 0x03, 0xf0, 0x02, 0xf0}, []byte{0x4c, 0x86, 0, 0}, 90000}
	h264 = sample{"H264", webrtc.MimeTypeH264, []byte{0x67, 0x42, 0xe0, 0x1f, 0x96, 0x54, 0x0a, 0x0f, 0xc8}, []byte{0x41, 0x9a, 0}, 90000}
	av1  = sample{"AV1", webrtc.MimeTypeAV1, []byte{0x18, 0x0a, 0x0a, 0, 0, 0, 0x02, 0xaf, 0xff, 0x9b, 0x5f, 0x20, 0x08}, []byte{0x10, 0x32, 0x20, 0x00}, 90000}
	opus = sample{"Opus", webrtc.MimeTypeOpus, []byte{0xfc, 1, 2}, []byte{0xfc, 3, 4}, 48000}
)

// number is the packet's number as the end of its payload tells it.
func number(payload []byte) uint32 {
	if len(payload) < 4 {
		return 0
	}
	return binary.BigEndian.Uint32(payload[len(payload)-4:])
}

// packet returns packet n of a stream: one frame each, n counted from start.
func (s sample) packet(n uint32, start uint16, keyframe bool) *rtp.Packet {
	head := s.delta
	if keyframe {
		head = s.keyframe
	}
	payload := make([]byte, 0, len(head)+104)
	payload = append(payload, head...)
	payload = append(payload, make([]byte, 100)...)
	payload = binary.BigEndian.AppendUint32(payload, n)
	return &rtp.Packet{
		Header: rtp.Header{
			Version:        2,
			Marker:         true,
			SequenceNumber: start + uint16(n),
			Timestamp:      n * (s.rate / 30),
		},
		Payload: payload,
	}
}
