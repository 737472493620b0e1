package testkit

import (
	"sync"

	"github.com/pion/rtp"
)

// SourceOptions configure a [Source]. The zero value is valid.
type SourceOptions struct {
	Codec         Codec
	Packets       int    // packets of a video frame; 3 if 0
	KeyframeEvery int    // frames; if 0 only the first, and those that are asked for
	Size          int    // of a packet's content, in bytes; 1000 if 0, 80 for Opus
	Sequence      uint16 // of the first packet
	Timestamp     uint32 // of the first frame
}

// Source makes frames of one track. Each payload is valid for the codec's
// depacketisers and carries a [Content].
type Source struct {
	options SourceOptions

	mu      sync.Mutex // guards the fields below
	packets uint64     // made so far
	frames  uint32
	sinceKF int  // frames since the last keyframe
	wantKF  bool // the next frame is to be a keyframe
}

// NewSource returns a source that begins with a keyframe.
func NewSource(o SourceOptions) *Source {
	if o.Packets == 0 {
		o.Packets = 3
	}
	if o.Size == 0 {
		o.Size = 1000
		if o.Codec == Opus {
			o.Size = 80
		}
	}
	if o.Codec == Opus {
		o.Packets = 1
	}
	return &Source{options: o, wantKF: true}
}

// Codec is what the source was made for.
func (s *Source) Codec() Codec { return s.options.Codec }

// RequestKeyframe makes the next frame a keyframe.
func (s *Source) RequestKeyframe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wantKF = true
}

// Made is the number of packets made so far: the index of the next one.
func (s *Source) Made() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.packets
}

// Next returns the packets of the next frame, which the caller owns. Payload
// type and SSRC are left to whoever sends them.
func (s *Source) Next() []*rtp.Packet {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.options
	keyframe := s.wantKF || o.KeyframeEvery > 0 && s.sinceKF >= o.KeyframeEvery
	if keyframe {
		s.wantKF, s.sinceKF = false, 0
	}
	s.sinceKF++
	packets := make([]*rtp.Packet, o.Packets)
	for i := range packets {
		c := Content{
			Index: s.packets, Frame: s.frames, Keyframe: keyframe,
			First: i == 0, Last: i == len(packets)-1,
		}
		packets[i] = &rtp.Packet{
			Header: rtp.Header{
				Version:        2,
				Marker:         c.Last && o.Codec != Opus,
				SequenceNumber: o.Sequence + uint16(s.packets),
				Timestamp:      o.Timestamp + s.frames*properties[o.Codec].ticks,
			},
			Payload: buildPayload(o.Codec, c, i, o.Size),
		}
		s.packets++
	}
	s.frames++
	return packets
}

// buildPayload returns the payload of the i-th packet of a frame.
func buildPayload(codec Codec, c Content, i, size int) []byte {
	p := picture{number: c.Frame, packet: i, keyframe: c.Keyframe, first: c.First, last: c.Last}
	b := properties[codec].descriptor(p, make([]byte, 0, size+64))
	b = c.append(b, size)
	if codec == H264 {
		finishH264(b)
	}
	return b
}
