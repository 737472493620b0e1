package rtpconn

import (
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// headerCloner gives each packet on its way to the network a header of its own: Pion
// resends one packet in several goroutines, and each of them numbers it.
type headerCloner struct{ interceptor.NoOp }

func (c *headerCloner) NewInterceptor(string) (interceptor.Interceptor, error) { return c, nil }

func (c *headerCloner) BindLocalStream(_ *interceptor.StreamInfo, w interceptor.RTPWriter) interceptor.RTPWriter {
	return interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
		own := h.Clone()
		return w.Write(&own, payload, a)
	})
}

// newCountingPC returns a client that numbers what it sends for congestion control,
// retransmits what it is asked for, and loses what d drops.
func newCountingPC(tb testing.TB, d *dropper) *webrtc.PeerConnection {
	tb.Helper()
	media := &webrtc.MediaEngine{}
	if err := media.RegisterDefaultCodecs(); err != nil {
		tb.Fatal(err)
	}
	responder, err := nack.NewResponderInterceptor()
	if err != nil {
		tb.Fatal(err)
	}
	interceptors := &interceptor.Registry{}
	interceptors.Add(d)
	if err := webrtc.ConfigureTWCCHeaderExtensionSender(media, interceptors); err != nil {
		tb.Fatal(err)
	}
	interceptors.Add(&headerCloner{})
	interceptors.Add(responder)
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		media.RegisterFeedback(webrtc.RTCPFeedback{Type: "transport-cc"}, kind)
	}
	return newRemotePCThrough(tb, media, interceptors, func(*webrtc.SettingEngine) {})
}

// transportNumberOf returns a packet's transport-wide sequence number.
func transportNumberOf(h *rtp.Header, sender *webrtc.RTPSender) (number uint16, ok bool) {
	for _, x := range sender.GetParameters().HeaderExtensions {
		var e rtp.TransportCCExtension
		if extensionURIs[x.URI] == transportNumber && e.Unmarshal(h.GetExtension(uint8(x.ID))) == nil {
			return e.TransportSequence, true
		}
	}
	return 0, false
}

// statusesOf adds to seen what feedback says: which packets came.
func statusesOf(m *rtcp.TransportLayerCC, seen map[uint16]bool) {
	number, left := m.BaseSequenceNumber, int(m.PacketStatusCount)
	take := func(symbol uint16) {
		if left > 0 {
			seen[number] = seen[number] || symbol != rtcp.TypeTCCPacketNotReceived
			number++
			left--
		}
	}
	for _, chunk := range m.PacketChunks {
		switch c := chunk.(type) {
		case *rtcp.RunLengthChunk:
			for range c.RunLength {
				take(c.PacketStatusSymbol)
			}
		case *rtcp.StatusVectorChunk:
			for _, symbol := range c.SymbolList {
				take(symbol)
			}
		}
	}
}

func TestPublishersLearnWhenTheirPacketsArrived(t *testing.T) {
	t.Parallel()
	for _, tt := range waysIn {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newEngineOn(t, nil)
			if tt.mux {
				e = newTestEngine(t)
			}
			d := &dropper{keep: true}
			p := newPublisherOf(t, e, UpConfig{ID: "a"}, newCountingPC(t, d))
			p.munge = tt.munge
			voice, voiceSender := p.add(webrtc.MimeTypeOpus, "audio", "stream")
			track, sender := p.add(webrtc.MimeTypeVP8, "video", "stream")
			p.connect()
			// Pion delivers feedback by the source that it names.
			feedback := []<-chan rtcp.Packet{readRTCP(t, sender), readRTCP(t, voiceSender)}
			own := p.up.tracks.Load().own
			// A number that is used again is a replayed packet to SRTP.
			next := bindTrack(t, own[0], voice, opus, 0)
			next = max(next, bindTrack(t, own[1], track, vp8, 0))

			ssrc := uint32(sender.GetParameters().Encodings[0].SSRC)
			lost := make(map[uint16]bool)
			d.mu.Lock()
			d.drop = func(h *rtp.Header) bool {
				if h.SSRC != ssrc || h.SequenceNumber%9 != 0 {
					return false
				}
				number, ok := transportNumberOf(h, sender)
				lost[number] = ok
				return true
			}
			d.mu.Unlock()
			seen := make(map[uint16]bool)
			messages, numbered, last := 0, 0, time.Now()
			eventually(t, "all packets are reported", func() bool {
				if next < 400 { // and not too fast for the sockets
					if err := track.WriteRTP(vp8.packet(next, 0, false)); err != nil {
						t.Fatal(err)
					}
					if err := voice.WriteRTP(opus.packet(next, 0, false)); err != nil {
						t.Fatal(err)
					}
					next++
				}
				for _, packets := range feedback {
					for more := true; more; {
						select {
						case r := <-packets:
							if m, ok := r.(*rtcp.TransportLayerCC); ok {
								messages++
								statusesOf(m, seen)
							}
						default:
							more = false
						}
					}
				}
				if next < 400 || messages < 3 {
					return false
				}
				d.mu.Lock()
				defer d.mu.Unlock()
				numbered = 0
				missing := 0
				for i := range d.sent[:len(d.sent)/2] { // later ones are on their way
					h := &d.sent[i].Header
					by := sender
					if h.PayloadType == 111 {
						by = voiceSender
					}
					number, ok := transportNumberOf(h, by)
					if !ok {
						continue // the first ones of a source
					}
					numbered++
					if !seen[number] {
						missing++
					}
				}
				return missing <= numbered/20 // sockets of a busy machine overflow
			})
			for number := range lost {
				if seen[number] {
					t.Errorf("packet %d is reported although it was lost", number)
				}
			}
			if numbered < 200 || len(lost) < 20 {
				t.Errorf("%d packets were numbered and %d lost, want many", numbered, len(lost))
			}
			if most := int(time.Since(last)/transportInterval) + 3; messages > most {
				t.Errorf("%d messages in %v, want at most %d", messages, time.Since(last), most)
			}
		})
	}
}

func TestFeedbackOnTheTransportIsForThoseWhoOfferIt(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	for _, offered := range []bool{true, false} {
		pc := newPlainPC(t)
		if offered {
			pc = newCountingPC(t, &dropper{})
		}
		p := newPublisherOf(t, e, UpConfig{ID: "a"}, pc)
		p.add(webrtc.MimeTypeOpus, "audio", "stream")
		p.offer(nil)
		p.up.transport.mu.Lock()
		if got := p.up.transport.recorder != nil; got != offered {
			t.Errorf("offered: %v, recorded: %v", offered, got)
		}
		p.up.transport.mu.Unlock()
	}
}

func TestFeedbackOnTheTransportNamesATrack(t *testing.T) {
	t.Parallel()
	var f transportFeedback
	f.negotiate(true, 1)
	for i, tt := range []struct {
		ssrc    uint32
		isTrack bool
		want    uint32
	}{{7, false, 7}, {5, true, 5}, {6, true, 6}, {7, false, 6}} {
		f.record(int32(i), tt.ssrc, tt.isTrack, epoch)
		if f.media != tt.want {
			t.Errorf("after packet %d the report is on %d, want %d", i, f.media, tt.want)
		}
	}
}
