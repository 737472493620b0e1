package loadtest

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// How browsers pace video: so much faster than its bitrate, at this interval.
const (
	paceInterval = 5 * time.Millisecond
	paceFactor   = 2.5
)

// audioInterval is the time between audio packets.
const audioInterval = 20 * time.Millisecond

// A source makes the packets of one track. All but the atomic fields belong to the goroutine that plays it.
type source struct {
	// Immutable.
	run      *run
	number   uint32 // of the stream
	track    *webrtc.TrackLocalStaticRTP
	port     port
	interval time.Duration // between frames
	packets  int           // of a frame
	ticks    uint32        // of the clock, in a frame
	allowed  float64       // octets in each paceInterval; 0 to send a frame at once
	keyframe int           // frames from one keyframe to the next; 0 for audio

	packet  rtp.Packet
	buffer  [maxPayload]byte
	index   uint32    // of the next packet
	left    int       // packets of the present frame that have not been sent
	since   int       // frames since the last keyframe
	key     bool      // the present frame is a keyframe
	picture uint16    // number of the present frame
	next    time.Time // when the next frame is due
	budget  float64   // octets that may be sent now

	// Any goroutine.
	wanted atomic.Bool   // a keyframe was asked for
	sent   atomic.Uint64 // packets
	closed atomic.Bool   // send no more
}

// newVideo returns the source of a publisher's video.
func (r *run) newVideo(number uint32, track *webrtc.TrackLocalStaticRTP, out port) *source {
	s := r.scenario
	packets, size := s.frame()
	src := r.newSource(number, track, out, size)
	src.interval = time.Second / time.Duration(s.FrameRate)
	src.packets = packets
	src.ticks = uint32(videoClock / s.FrameRate)
	src.keyframe = max(1, int(s.KeyframeInterval/src.interval))
	src.since = src.keyframe // begin with one
	if s.Paced {
		src.allowed = paceFactor * float64(s.Video) / 8 * paceInterval.Seconds()
	}
	return src
}

// newAudio returns the source of a publisher's audio.
func (r *run) newAudio(number uint32, track *webrtc.TrackLocalStaticRTP, out port) *source {
	src := r.newSource(number, track, out, audioPayload)
	src.interval, src.packets, src.ticks = audioInterval, 1, audioClock/50
	return src
}

func (r *run) newSource(number uint32, track *webrtc.TrackLocalStaticRTP, out port, size int) *source {
	src := &source{run: r, number: number, track: track, port: out}
	src.packet.Version = 2
	src.packet.SequenceNumber = uint16(rand.Uint32()) //nolint:gosec // not a secret
	src.packet.Timestamp = rand.Uint32()              //nolint:gosec // not a secret
	src.packet.Payload = src.buffer[:size]
	return src
}

// play sends what is due at now and returns when there will be more.
func (s *source) play(now time.Time) time.Time {
	if s.left == 0 {
		s.beginFrame(now)
	}
	if s.allowed > 0 {
		s.budget = min(s.budget, 0) + s.allowed
	}
	s.port.gather()
	defer s.port.release()
	for s.left > 0 && (s.allowed == 0 || s.budget > 0) {
		s.send()
		s.budget -= float64(len(s.packet.Payload))
	}
	if s.left > 0 {
		return now.Add(paceInterval)
	}
	return s.next
}

// beginFrame prepares the frame that is due.
func (s *source) beginFrame(now time.Time) {
	s.next = s.next.Add(s.interval)
	if late := now.Sub(s.next); late > maxLateness {
		s.run.failures.add("publishers cannot keep up: this machine is too slow")
		s.next = now
	}
	s.left = s.packets
	s.packet.Timestamp += s.ticks
	if s.keyframe == 0 {
		return
	}
	s.picture++
	s.since++
	s.key = s.wanted.Swap(false) || s.since >= s.keyframe
	if s.key {
		s.since = 0
	}
}

// send sends the next packet of the frame.
func (s *source) send() {
	b := s.packet.Payload
	var n int
	if s.keyframe == 0 {
		n = describeOpus(b)
	} else {
		n = describeVP8(b, picture{
			number: s.picture, layer: uint8(s.picture), keyframe: s.key, first: s.left == s.packets,
		})
		s.packet.Marker = s.left == 1
	}
	s.run.pattern.put(b[n:], content{stream: s.number, index: s.index, sent: s.run.now()})
	if err := s.track.WriteRTP(&s.packet); err != nil && !s.closed.Load() {
		s.run.failures.add("send: %v", err)
	}
	s.sent.Add(1)
	s.packet.SequenceNumber++
	s.index++
	s.left--
}
