package rtpconn

import (
	"bytes"
	"testing"

	"github.com/pion/rtp"
)

func TestParseHeaderReadsWhatPionWrites(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		packet rtp.Packet
	}{
		{"plain", rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: 65535, Timestamp: 1 << 31}, Payload: []byte{1, 2, 3}}},
		{"marker", rtp.Packet{Header: rtp.Header{Version: 2, Marker: true, PayloadType: 127}, Payload: []byte{1}}},
		{"contributors", rtp.Packet{Header: rtp.Header{Version: 2, CSRC: []uint32{1, 2, 3}}, Payload: []byte{1}}},
		{"empty", rtp.Packet{Header: rtp.Header{Version: 2}}},
		{"padding", rtp.Packet{Header: rtp.Header{Version: 2, Padding: true, PaddingSize: 7}, Payload: []byte{1, 2}}},
		{"padding only", rtp.Packet{Header: rtp.Header{Version: 2, Padding: true, PaddingSize: 255}}},
	}
	extended := rtp.Packet{Header: rtp.Header{Version: 2, CSRC: []uint32{9}, Padding: true, PaddingSize: 1}, Payload: []byte{7, 8}}
	if err := extended.SetExtension(1, []byte("mid")); err != nil {
		t.Fatal(err)
	}
	tests = append(tests, struct {
		name   string
		packet rtp.Packet
	}{"everything", extended})

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			raw, err := tt.packet.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			var h header
			if !(parseHeader(raw, &h) && h.unpad(raw)) {
				t.Fatalf("parseHeader(%x) fails", raw)
			}
			if h.sequence != tt.packet.SequenceNumber || h.timestamp != tt.packet.Timestamp ||
				h.payloadType != tt.packet.PayloadType || h.marker != tt.packet.Marker ||
				!bytes.Equal(raw[h.start:h.end], tt.packet.Payload) {
				t.Errorf("parseHeader(%x) = %+v, want %v", raw, h, tt.packet)
			}
		})
	}
}

func TestParseHeaderRefusesMalformedPackets(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		packet []byte
	}{
		{"nothing", nil},
		{"short", []byte{0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
		{"version 1", []byte{0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
		{"cut in the contributors", []byte{0x81, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3}},
		{"cut before the extension's length", []byte{0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xbe, 0xde, 0}},
		{"cut in the extension", []byte{0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xbe, 0xde, 0, 1, 0}},
		{"padding of nothing", []byte{0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
		{"padding of length zero", []byte{0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
		{"more padding than there is", []byte{0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var h header
			if parseHeader(tt.packet, &h) && h.unpad(tt.packet) {
				t.Errorf("parseHeader(%x) = %+v, want a refusal", tt.packet, h)
			}
		})
	}
}

// Whatever a publisher sends, the payload lies within the packet, and what Pion
// understands is understood in the same way.
func FuzzParseHeader(f *testing.F) {
	f.Add([]byte{0x80, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 9})
	f.Add([]byte{0xb1, 0xe0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 0xbe, 0xde, 0, 1, 0x10, 7, 0, 0, 5, 1})
	f.Fuzz(func(t *testing.T, packet []byte) {
		var h header
		if !(parseHeader(packet, &h) && h.unpad(packet)) {
			return
		}
		if h.start < rtpFixedHeader || h.start > h.end || h.end > len(packet) {
			t.Fatalf("payload %d to %d of %d octets", h.start, h.end, len(packet))
		}
		var p rtp.Packet
		if p.Unmarshal(packet) != nil {
			return
		}
		if !bytes.Equal(p.Payload, packet[h.start:h.end]) || p.SequenceNumber != h.sequence ||
			p.Timestamp != h.timestamp || p.Marker != h.marker || p.PayloadType != h.payloadType {
			t.Fatalf("parseHeader(%x) = %+v, Pion has %v", packet, h, p)
		}
	})
}
