package main

import (
	"math/rand/v2"
	"time"
)

// stream is one kind of media of one publisher, on its way to all its
// subscribers.
type stream struct {
	flows    []int // their numbers
	audio    bool
	interval time.Duration // between frames
	bursts   []burst       // of each frame
	payloads [][]byte      // of each packet of a frame

	frame time.Duration // when the current frame began
	next  int           // burst of the current frame
	first int           // packet of the frame with which that burst begins
	index uint64        // of the next packet
	clock uint32        // timestamp of the current frame
}

// limitSeed makes all runs of the limit alike: the same phases each time.
const limitSeed = 1

func newRandom() *rand.Rand {
	return rand.New(rand.NewPCG(limitSeed, limitSeed)) //nolint:gosec // nothing of it is secret
}

// newStreams makes the streams of a shape, with phases as random gives them.
func newStreams(s shape, paced bool, random *rand.Rand) []*stream {
	streams := make([]*stream, 0, 2*s.publishers)
	receivers := make([][]int, s.publishers)
	for i, f := range s.flows() {
		receivers[f.publisher] = append(receivers[f.publisher], i)
	}
	for p := range s.publishers {
		video := &stream{
			flows: receivers[p], interval: frameInterval, bursts: frameBursts(paced),
			payloads: newPayloads(random, packetsPerFrame, videoPayload),
		}
		audio := &stream{
			flows: receivers[p], interval: audioInterval, bursts: []burst{{packets: 1}},
			payloads: newPayloads(random, 1, audioPayload), audio: true,
		}
		for _, s := range []*stream{video, audio} {
			s.frame = time.Duration(random.Int64N(int64(s.interval)))
		}
		streams = append(streams, video, audio)
	}
	return streams
}

func newPayloads(random *rand.Rand, n, length int) [][]byte {
	payloads := make([][]byte, n)
	for i := range payloads {
		payloads[i] = make([]byte, length)
		for j := range payloads[i] {
			payloads[i][j] = byte(random.Uint32())
		}
	}
	return payloads
}

// due is when the next burst is to be sent, since the beginning.
func (s *stream) due() time.Duration { return s.frame + s.bursts[s.next].after }

// advance goes on to the next burst.
func (s *stream) advance() {
	n := s.bursts[s.next].packets
	s.index += uint64(n)
	s.first += n
	if s.next++; s.next < len(s.bursts) {
		return
	}
	s.next, s.first = 0, 0
	s.frame += s.interval
	s.clock += uint32(s.interval.Seconds() * float64(s.rate()))
}

func (s *stream) rate() int {
	if s.audio {
		return audioClock
	}
	return videoClock
}

// packet describes the i-th packet of the next burst.
func (s *stream) packet(i int) packet {
	p := packet{
		payload:   s.payloads[s.first+i],
		kind:      videoType,
		marker:    s.audio || s.first+i == len(s.payloads)-1,
		timestamp: s.clock,
		index:     s.index + uint64(i),
	}
	if s.audio {
		p.kind = audioType
	}
	return p
}
