package losses

import (
	"encoding/binary"
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"galene/conn"
	"galene/internal/netsim"
	"galene/internal/testkit"
	"galene/rtpconn"
)

// tick is how often receivers look what they have to ask for.
const tick = 20 * time.Millisecond

// subscriber is a client that receives a stream.
type subscriber struct {
	*peer

	down  *rtpconn.Down
	begun time.Time
	wake  chan struct{} // has room for one: something is missing

	mu      sync.Mutex          // guards the fields below
	repairs map[uint32]uint32   // sources of retransmissions to those they repair
	tracks  map[uint32]*inTrack // by source
}

// inTrack is a track of a subscriber.
type inTrack struct {
	*receiver

	codec        testkit.Codec
	ssrc, repair uint32
}

// newSubscriber connects a subscriber to all tracks of a publisher.
func newSubscriber(t *testing.T, e *rtpconn.Engine, l leg, up *rtpconn.Up, begun time.Time) (*subscriber, error) {
	t.Helper()
	s := &subscriber{
		begun: begun, wake: make(chan struct{}, 1),
		repairs: make(map[uint32]uint32), tracks: make(map[uint32]*inTrack),
	}
	interceptors := &interceptor.Registry{}
	interceptors.Add(&tap{subscriber: s}) // next to the network
	l.media = netsim.In
	var err error
	if s.peer, err = newPeer(t, l, interceptors); err != nil {
		return nil, err
	}
	s.pc.OnTrack(s.onTrack)
	s.down, err = e.NewDown(rtpconn.DownConfig{Up: up, Events: rtpconn.Events{Candidate: s.candidate}})
	if err != nil {
		return s, err
	}
	var selection []conn.Selection
	for _, track := range up.Tracks() {
		selection = append(selection, conn.Selection{Track: track})
	}
	if _, err := s.down.Select(selection); err != nil {
		return s, err
	}
	return s, s.negotiate()
}

// fid is how a description says what repairs what (RFC 5576 §4.2).
var fid = regexp.MustCompile(`a=ssrc-group:FID (\d+) (\d+)`)

// negotiate takes the server's offer.
func (s *subscriber) negotiate() error {
	offer, ok, err := s.down.Offer(false)
	if err != nil || !ok {
		return fmt.Errorf("no offer: %w", err)
	}
	for _, match := range fid.FindAllStringSubmatch(offer, -1) {
		track, _ := strconv.ParseUint(match[1], 10, 32)
		repair, _ := strconv.ParseUint(match[2], 10, 32)
		s.mu.Lock()
		s.repairs[uint32(repair)] = uint32(track)
		s.mu.Unlock()
	}
	if err := s.describe(webrtc.SDPTypeOffer, offer); err != nil {
		return err
	}
	answer, err := s.pc.CreateAnswer(nil)
	if err != nil {
		return err
	}
	sdp, err := s.gather(answer)
	if err != nil {
		return err
	}
	_, err = s.down.Answer(sdp)
	s.running.Go(s.ask)
	return err
}

// onTrack reads a track, so that the tap sees what comes.
func (s *subscriber) onTrack(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	s.running.Go(func() {
		buffer := make([]byte, 1600)
		for {
			if _, _, err := receiver.Read(buffer); err != nil {
				return
			}
		}
	})
	s.running.Go(func() {
		buffer := make([]byte, 1600)
		for {
			if _, _, err := remote.Read(buffer); err != nil {
				return
			}
		}
	})
}

// bound takes note that a source is that of a track.
func (s *subscriber) bound(ssrc uint32, mime string) {
	for _, codec := range testkit.Codecs() {
		if codec.MimeType() != mime {
			continue
		}
		packets := framePackets
		if codec == testkit.Opus {
			packets = 1
		}
		s.mu.Lock()
		track := &inTrack{receiver: newReceiver(codec, packets), codec: codec, ssrc: ssrc}
		for repair, repaired := range s.repairs {
			if repaired == ssrc {
				track.repair = repair
			}
		}
		s.tracks[ssrc] = track
		s.mu.Unlock()
	}
}

// track returns a codec's track, or nil.
func (s *subscriber) track(codec testkit.Codec) *inTrack {
	for _, track := range s.all() {
		if track.codec == codec {
			return track
		}
	}
	return nil
}

func (s *subscriber) all() (list []*inTrack) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, track := range s.tracks {
		list = append(list, track)
	}
	return list
}

// running tells whether all tracks are.
func (s *subscriber) flows() bool {
	n := 0
	for _, track := range s.all() {
		if track.running() {
			n++
		}
	}
	return n == len(formats)
}

// take takes a packet from the network.
func (s *subscriber) take(packet *rtp.Packet) {
	sequence, payload := packet.SequenceNumber, packet.Payload
	s.mu.Lock()
	track := s.tracks[packet.SSRC]
	if repaired, ok := s.repairs[packet.SSRC]; ok {
		track = nil
		if len(payload) > 2 {
			track = s.tracks[repaired]
			sequence, payload = binary.BigEndian.Uint16(payload), payload[2:] // RFC 4588 §4
		}
	}
	s.mu.Unlock()
	if track == nil || len(payload) == 0 {
		return
	}
	if track.receive(sequence, payload, time.Since(s.begun)) {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// ask asks for what is missing, until the subscriber is closed.
func (s *subscriber) ask() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-s.closed:
			return
		case <-ticker.C:
		case <-s.wake:
		}
		now := time.Since(s.begun)
		var compound []rtcp.Packet
		for _, track := range s.all() {
			packets, keyframe := track.due(now)
			if len(packets) > 0 {
				compound = append(compound, &rtcp.TransportLayerNack{
					SenderSSRC: 1, MediaSSRC: track.ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers(packets),
				})
			}
			if keyframe {
				compound = append(compound, &rtcp.PictureLossIndication{SenderSSRC: 1, MediaSSRC: track.ssrc})
			}
		}
		for _, packet := range compound {
			_ = s.pc.WriteRTCP([]rtcp.Packet{packet}) // or it is lost
		}
	}
}

// end closes the subscriber on both sides.
func (s *subscriber) end() {
	if s == nil || s.peer == nil {
		return
	}
	s.close()
	if s.down != nil {
		s.down.Close()
	}
}

// tap shows a subscriber all packets as they come, retransmissions too. It is its own factory.
type tap struct {
	interceptor.NoOp

	subscriber *subscriber
}

// NewInterceptor implements [interceptor.Factory].
func (t *tap) NewInterceptor(string) (interceptor.Interceptor, error) { return t, nil }

// BindRemoteStream implements [interceptor.Interceptor].
func (t *tap) BindRemoteStream(info *interceptor.StreamInfo, reader interceptor.RTPReader) interceptor.RTPReader {
	t.subscriber.bound(info.SSRC, info.MimeType)
	return interceptor.RTPReaderFunc(func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
		n, a, err := reader.Read(b, a)
		var packet rtp.Packet
		if err == nil && packet.Unmarshal(b[:n]) == nil {
			t.subscriber.take(&packet)
		}
		return n, a, err
	})
}
