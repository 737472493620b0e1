package loadtest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

const (
	// rtpHeader is the length of the header's fixed part (RFC 3550 §5.1), in octets.
	rtpHeader = 12
	// maxSources is how many sources of one connection are counted.
	maxSources = 4
	// maxUnchecked is how many packets Pion may be decrypting for one connection.
	maxUnchecked = 64
)

// subscription is a stream that a client receives: a down connection.
type subscription struct {
	*peer

	// Immutable.
	client    *client
	id        string
	publisher int // its number

	kinds [128]atomic.Uint32 // what each payload type is, plus 1; 0 if it is unknown
	first atomic.Int64       // when the first packet came, on the run's clock; 0 if none has

	mu        sync.Mutex // guards the fields below
	sources   []*reception
	countdown int // packets until the next one that is checked
	dice      *rand.Rand
	measuring bool
	unchecked [maxUnchecked]arrival
	next      int    // where the next arrival goes in unchecked
	passed    uint64 // packets passed on to Pion while measuring
	checked   uint64 // those of them that came out of it
	numbering map[uint32]*numbering
	report    int64 // when the next report is due
	video     bool  // a source is video
}

// arrival is when a packet that Pion decrypts has come.
type arrival struct {
	ssrc     uint32
	sequence uint16
	valid    bool
	measured bool
	at       int64
}

// numbering compares sequence numbers with what the publisher had numbered.
type numbering struct {
	sequence uint16 // of the last packet checked
	index    uint32 // of the last packet checked, by the publisher
	steps    int64  // packets since the first one checked, by sequence numbers
	indices  int64  // the same by the publisher
}

// subscribe makes the receiving end of an offered stream.
func (c *client) subscribe(m *message, publisher int) (*subscription, error) {
	s := &subscription{
		client: c, id: m.ID, publisher: publisher,
		dice:      rand.New(rand.NewPCG(rand.Uint64(), uint64(publisher))), //nolint:gosec // not a secret
		numbering: make(map[uint32]*numbering),
	}
	s.countdown = s.dice.IntN(c.run.scenario.Verify)
	s.report = c.run.now() + s.dice.Int64N(int64(reportInterval))
	peer, err := c.run.peers.open(new(interceptor.Registry), s)
	if err != nil {
		return nil, err
	}
	s.peer = peer
	s.pc.OnTrack(func(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		s.start(func() { s.readPackets(track) })
		s.start(func() { s.readReports(receiver) })
	})
	s.pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateFailed {
			c.run.failures.add("a receiver's connection has failed")
			_ = c.send(&message{Type: "renegotiate", ID: s.id}) // if it cannot, the reader says so
		}
	})
	return s, nil
}

// answer answers an offer of the stream.
func (s *subscription) answer(offer string) error {
	if err := s.learnTypes(offer); err != nil {
		return err
	}
	if err := s.setRemote(webrtc.SDPTypeOffer, offer); err != nil {
		return err
	}
	answer, err := s.pc.CreateAnswer(nil)
	if err != nil {
		return err
	}
	sdp, err := s.describe(answer)
	if err != nil {
		return err
	}
	return s.client.send(&message{Type: "answer", ID: s.id, SDP: sdp})
}

// learnTypes takes from an offer which payload type is video and which audio.
func (s *subscription) learnTypes(offer string) error {
	var d sdp.SessionDescription
	if err := d.UnmarshalString(offer); err != nil {
		return fmt.Errorf("session description: %w", err)
	}
	for _, m := range d.MediaDescriptions {
		kind := slices.Index([]string{kindVideo: "video", kindAudio: "audio"}, m.MediaName.Media)
		if kind < 0 {
			continue
		}
		for _, format := range m.MediaName.Formats {
			if t, err := strconv.ParseUint(format, 10, 7); err == nil {
				s.kinds[t].Store(uint32(kind) + 1)
			}
		}
	}
	return nil
}

// arrived counts an RTP packet that has just come from the network. It reports whether Pion need not see it.
func (s *subscription) arrived(b []byte, at int64) bool {
	kind := s.kinds[b[1]&0x7f].Load()
	if kind == 0 {
		return false
	}
	video := kind-1 == kindVideo
	sequence, timestamp := binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[4:])
	ssrc := binary.BigEndian.Uint32(b[8:])
	scenario := &s.client.run.scenario

	s.mu.Lock()
	defer s.mu.Unlock()
	if video && scenario.Drop > 0 && s.dice.Float64()*100 < scenario.Drop {
		return true
	}
	r := s.source(ssrc, video)
	if r == nil {
		return false
	}
	if s.first.Load() == 0 {
		s.first.Store(at)
		s.client.run.withMedia.Add(1)
	}
	fresh := r.receive(sequence, timestamp, len(b), at)
	if s.countdown--; s.countdown >= 0 || !fresh {
		return true
	}
	s.countdown = scenario.Verify - 1
	slot := &s.unchecked[s.next%maxUnchecked]
	s.next++
	*slot = arrival{ssrc: ssrc, sequence: sequence, valid: true, measured: s.measuring, at: at}
	if s.measuring {
		s.passed++
	}
	return false
}

// source returns what is known of a source, nil if there are too many. The caller holds s.mu.
func (s *subscription) source(ssrc uint32, video bool) *reception {
	for _, r := range s.sources {
		if r.ssrc == ssrc {
			return r
		}
	}
	if len(s.sources) == maxSources {
		return nil
	}
	r := newReception(ssrc, video, s.client.run.scenario.NACK)
	if s.measuring {
		r.begin()
	}
	s.video = s.video || video
	s.sources = append(s.sources, r)
	return r
}

// readPackets checks what Pion has decrypted, until the track ends.
func (s *subscription) readPackets(track *webrtc.TrackRemote) {
	kind := uint32(kindVideo)
	if track.Kind() == webrtc.RTPCodecTypeAudio {
		kind = kindAudio
	}
	stream := uint32(2*s.publisher) + kind
	b := make([]byte, maxPacket)
	var p rtp.Packet
	for {
		n, _, err := track.Read(b)
		if err != nil {
			return
		}
		if p.Unmarshal(b[:n]) == nil {
			s.check(&p, stream)
		}
	}
}

// check compares a packet with what was sent.
func (s *subscription) check(p *rtp.Packet, stream uint32) {
	run := s.client.run
	var c content
	var err error
	padding := len(p.Payload) == 0
	if !padding {
		c, err = run.pattern.check(p.Payload, stream)
	}

	s.mu.Lock()
	a := s.takeArrival(p.SSRC, p.SequenceNumber)
	if a.measured {
		s.checked++
		if err == nil && !padding {
			s.number(p.SSRC, p.SequenceNumber, c.index)
		}
	}
	s.mu.Unlock()
	switch {
	case err != nil:
		run.failures.add("%v", err)
		run.corrupt.Add(1)
	case a.measured && !padding:
		run.delay.add(durationBetween(c.sent, a.at))
	}
}

// takeArrival returns when a packet came. The caller holds s.mu.
func (s *subscription) takeArrival(ssrc uint32, sequence uint16) arrival {
	for i := range s.unchecked {
		a := &s.unchecked[i]
		if a.valid && a.sequence == sequence && a.ssrc == ssrc {
			a.valid = false
			return *a
		}
	}
	return arrival{}
}

// number notes how the publisher had numbered a packet. The caller holds s.mu.
func (s *subscription) number(ssrc uint32, sequence uint16, index uint32) {
	n := s.numbering[ssrc]
	if n == nil {
		s.numbering[ssrc] = &numbering{sequence: sequence, index: index}
		return
	}
	if step := int16(sequence - n.sequence); step > 0 {
		n.steps += int64(step)
		n.indices += int64(int32(index - n.index))
		n.sequence, n.index = sequence, index
	}
}

// readReports notes the server's reports, until the track ends.
func (s *subscription) readReports(receiver *webrtc.RTPReceiver) {
	for {
		packets, _, err := receiver.ReadRTCP()
		if err != nil {
			return
		}
		for _, p := range packets {
			if report, ok := p.(*rtcp.SenderReport); ok {
				s.noteReport(report)
			}
		}
	}
}

func (s *subscription) noteReport(report *rtcp.SenderReport) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.sources {
		if r.ssrc == report.SSRC {
			r.sender = uint32(report.NTPTime >> 16)
			r.senderAt = s.client.run.now()
		}
	}
}
