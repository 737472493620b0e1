package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"

	"galene/internal/testkit"
)

const (
	// hostileTime is how long hostile clients do what they can, unless the
	// environment variable GALENE_HOSTILE has another duration.
	hostileTime = 6 * time.Second
	// hostileSeed makes what they do the same each time, as far as timing
	// allows.
	hostileSeed = 20

	// hostileHeap is how much more memory may be in use after they have gone.
	hostileHeap = 48 << 20
)

// hostile is a client that is allowed in and means no good. It belongs to one
// goroutine, but for what its reader keeps.
type hostile struct {
	random   *rand.Rand
	endpoint string
	name     string
	offers   []string // real ones, to begin with
	socket   *websocket.Conn
	reading  sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	seen    []string   // the server's session descriptions
	streams []string   // ids heard of
	members []string   // likewise
}

// attack does harm until ctx ends.
func (h *hostile) attack(ctx context.Context) {
	for ctx.Err() == nil {
		if !h.connect(ctx) {
			continue
		}
		for steps := 50 + h.random.IntN(300); steps > 0 && ctx.Err() == nil; steps-- {
			if h.act() != nil {
				break // told to go, as it should be
			}
		}
		if h.random.IntN(2) == 0 { // else vanish without a word
			_ = h.socket.WriteControl(websocket.CloseMessage, nil, time.Now().Add(time.Second))
		}
		_ = h.socket.Close()
		h.reading.Wait()
	}
}

func (h *hostile) connect(ctx context.Context) bool {
	socket, response, err := websocket.DefaultDialer.DialContext(ctx, h.endpoint, nil)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	h.socket = socket
	deaf := h.random.IntN(8) == 0
	h.reading.Go(func() { h.listen(deaf, socket) })
	_ = h.write(fields{"type": "handshake", "version": []string{"2"}, "id": h.name})
	_ = h.write(fields{"type": "join", "kind": "join", "group": "room", "username": h.name})
	_ = h.write(fields{"type": "request", "request": fields{"": []string{"audio", "video"}}})
	return true
}

// listen keeps what can be used against others. One who is deaf reads nothing,
// and so is not told of the end either.
func (h *hostile) listen(deaf bool, socket *websocket.Conn) {
	for !deaf {
		var m testkit.Message
		if err := socket.ReadJSON(&m); err != nil {
			return
		}
		h.mu.Lock()
		switch {
		case m.SDP != "":
			h.seen = append(h.seen[max(0, len(h.seen)-20):], m.SDP)
			h.streams = append(h.streams[max(0, len(h.streams)-20):], m.ID)
		case m.Type == "user":
			h.members = append(h.members[max(0, len(h.members)-20):], m.ID)
		}
		h.mu.Unlock()
	}
}

func (h *hostile) write(m any) error {
	_ = h.socket.SetWriteDeadline(time.Now().Add(time.Second))
	return h.socket.WriteJSON(m)
}

// act does one thing.
func (h *hostile) act() error {
	n := h.random.IntN(100)
	for _, d := range deeds {
		if n -= d.share; n < 0 {
			return d.do(h)
		}
	}
	return h.write(h.nonsense())
}

// deeds are what hostile clients do, with how often they do it, in percent. For
// the rest they talk nonsense.
var deeds = []struct {
	share int
	do    func(*hostile) error
}{
	{25, func(h *hostile) error {
		return h.write(fields{"type": "offer", "id": h.stream(), "label": "camera", "replace": h.maybe(h.stream), "sdp": h.offer()})
	}},
	{15, func(h *hostile) error {
		return h.write(fields{"type": "answer", "id": h.stream(), "sdp": h.answer()})
	}},
	{10, func(h *hostile) error {
		for range h.random.IntN(20) {
			if err := h.write(fields{"type": "ice", "id": h.stream(), "candidate": h.candidate()}); err != nil {
				return err
			}
		}
		return nil
	}},
	{10, func(h *hostile) error {
		return h.write(fields{"type": h.pick("close", "abort", "renegotiate"), "id": h.stream()})
	}},
	{5, func(h *hostile) error {
		return h.write(fields{"type": "request", "request": fields{"": []string{h.wish()}}})
	}},
	{5, func(h *hostile) error {
		return h.write(fields{"type": "requestStream", "id": h.stream(), "request": []string{h.wish()}})
	}},
	{5, func(h *hostile) error {
		return h.write(fields{
			"type": h.pick("chat", "usermessage"), "kind": h.pick("", "me", "error"),
			"dest": h.maybe(h.member), "value": h.value(2),
		})
	}},
	{5, func(h *hostile) error {
		return h.write(fields{
			"type": "useraction", "kind": h.pick("setdata", "kick", "op", "identify", "x"),
			"dest": h.member(), "value": fields{h.pick("a", "b", "c"): h.value(1)},
		})
	}},
	{4, func(h *hostile) error {
		kind := h.pick("clearchat", "lock", "setdata", "subgroups", "record", "maketoken", "x")
		return h.write(fields{"type": "groupaction", "kind": kind, "value": h.value(1)})
	}},
	{3, func(h *hostile) error {
		group := h.pick("room", "../room", "nowhere", "")
		return h.write(fields{"type": "join", "kind": h.pick("join", "leave"), "group": group, "username": h.name})
	}},
	{1, func(h *hostile) error {
		frame := h.pick("{", "[]", "null", `{"type":1}`, "\xff", `{"type":"offer","id":{}}`)
		return h.socket.WriteMessage(h.random.IntN(2)+1, []byte(frame))
	}},
}

// fields are those of a message.
type fields map[string]any

func (h *hostile) wish() string { return h.pick("audio", "video", "video-low", "") }

// nonsense is a message of any type whose fields have values of any type.
func (h *hostile) nonsense() fields {
	m := fields{"type": h.pick("ping", "pong", "join", "chat", "usermessage", "groupaction", "useraction", "request",
		"requestStream", "offer", "answer", "renegotiate", "close", "abort", "ice", "handshake")}
	names := []string{
		"kind", "id", "replace", "source", "dest", "username", "password", "data", "group", "value",
		"sdp", "candidate", "label", "request", "permissions", "time", "noecho", "privileged",
	}
	for range h.random.IntN(5) {
		field := names[h.random.IntN(len(names))]
		m[field] = h.value(2)
		if field != "value" && field != "data" && field != "request" && h.random.IntN(4) > 0 {
			m[field] = h.text()
		}
	}
	return m
}

func (h *hostile) value(depth int) any {
	switch n := h.random.IntN(8); {
	case n < 3 || depth == 0:
		return h.text()
	case n == 3:
		return nil
	case n == 4:
		return h.random.IntN(1 << 20)
	case n == 5:
		return []any{h.value(depth - 1), h.value(depth - 1)}
	default:
		return fields{h.pick("id", "userId", "audio", "candidate", "sdpMid"): h.value(depth - 1)}
	}
}

func (h *hostile) text() string {
	switch h.random.IntN(6) {
	case 0:
		return strings.Repeat(h.pick("a", "é", "\x00", "<"), h.random.IntN(5000))
	case 1:
		return h.stream()
	case 2:
		return h.member()
	default:
		return h.pick("", "camera", "room", "2", "null", "-1", "\u202e", "operator")
	}
}

func (h *hostile) pick(words ...string) string { return words[h.random.IntN(len(words))] }

func (h *hostile) maybe(f func() string) string {
	if h.random.IntN(2) == 0 {
		return ""
	}
	return f()
}

// stream is the id of an own stream, or somebody else's.
func (h *hostile) stream() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.streams) > 0 && h.random.IntN(2) == 0 {
		return h.streams[h.random.IntN(len(h.streams))]
	}
	return h.name + strconv.Itoa(h.random.IntN(6))
}

func (h *hostile) member() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.members) > 0 && h.random.IntN(3) > 0 {
		return h.members[h.random.IntN(len(h.members))]
	}
	return h.name
}

func (h *hostile) candidate() any {
	address := h.pick("127.0.0.1", "192.0.2.1", "::1", "x.local", "255.255.255.255", "0.0.0.0", "bad")
	return fields{
		"candidate": fmt.Sprintf("candidate:%d %s %s %d %s %d typ %s", h.random.IntN(9), h.pick("1", "2", "0", "x"),
			h.pick("udp", "tcp", "sctp"), h.random.Uint32(), address, h.random.IntN(70000), h.pick("host", "srflx", "relay", "x")),
		"sdpMid": h.pick("0", "1", "9", ""), "sdpMLineIndex": h.random.IntN(4),
	}
}

// offer is a real offer with something wrong, or not.
func (h *hostile) offer() string {
	return h.mutate(h.offers[h.random.IntN(len(h.offers))])
}

// answer turns what the server has offered into an answer, with something wrong.
func (h *hostile) answer() string {
	h.mu.Lock()
	sdp := h.offers[0]
	if len(h.seen) > 0 {
		sdp = h.seen[h.random.IntN(len(h.seen))]
	}
	h.mu.Unlock()
	sdp = strings.ReplaceAll(sdp, "a=sendonly", "a=recvonly")
	return h.mutate(strings.ReplaceAll(sdp, "a=setup:actpass", "a=setup:active"))
}

// mutate changes a session description in a few places.
func (h *hostile) mutate(sdp string) string {
	lines := strings.Split(strings.TrimSpace(sdp), "\r\n")
	for range h.random.IntN(4) {
		i := h.random.IntN(len(lines))
		switch h.random.IntN(9) {
		case 0:
			lines = slices.Delete(lines, i, i+1)
		case 1:
			lines = slices.Insert(lines, i, lines[h.random.IntN(len(lines))])
		case 2:
			lines[i] = h.pick(hostileLines...)
		case 3, 4:
			lines = slices.Insert(lines, i, h.pick(hostileLines...))
		case 5: // another number
			lines[i] = h.renumber(lines[i])
		case 6: // a section more
			if at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "m=") }); at >= 0 {
				for range h.random.IntN(40) {
					lines = append(lines, lines[at:min(len(lines), at+30)]...)
				}
			}
		case 7: // without a whole attribute
			prefix := h.pick("a=mid", "a=ice-ufrag", "a=ice-pwd", "a=fingerprint", "a=setup", "a=rtpmap", "a=ssrc", "a=extmap", "a=rtcp-mux", "a=group", "a=msid", "c=", "t=", "m=")
			lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, prefix) })
			if len(lines) == 0 {
				lines = []string{"v=0"}
			}
		case 8:
			lines[i] = strings.Replace(lines[i], h.pick("sendonly", "VP8", "opus", "0", "1", "video"), h.pick("recvonly", "rtx", "H264", "7", "", "application"), 1)
		}
	}
	return strings.Join(lines, "\r\n") + "\r\n"
}

// renumber replaces one number of a line.
func (h *hostile) renumber(line string) string {
	fields := strings.FieldsFunc(line, func(r rune) bool { return r < '0' || r > '9' })
	if len(fields) == 0 {
		return line
	}
	return strings.Replace(line, fields[h.random.IntN(len(fields))], h.pick("0", "1", "255", "-1", "65536", "4294967296", "99999999999999999999", "x"), 1)
}

// hostileLines are lines of session descriptions, well-formed for the most part.
var hostileLines = []string{
	"a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive", "a=bundle-only", "a=rtcp-rsize", "a=ice-lite", "a=extmap-allow-mixed",
	"a=mid:0", "a=mid:1", "a=mid:", "a=group:BUNDLE 0 1 2", "a=group:BUNDLE", "a=group:LS 0 1",
	"a=setup:passive", "a=setup:holdconn", "a=setup:actpass", "a=ice-ufrag:abcd", "a=ice-ufrag:", "a=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa", "a=ice-pwd:x",
	"a=fingerprint:sha-256 00:11", "a=fingerprint:none x", "a=ice-options:trickle renomination",
	"a=rid:h send", "a=rid:l send pt=999", "a=rid:m recv", "a=rid:~h send", "a=simulcast:send h;m;l", "a=simulcast:recv h", "a=simulcast:send ~h,l;l recv m", "a=simulcast:", "a=simulcast: send x",
	"a=ssrc:1 cname:x", "a=ssrc:0", "a=ssrc:4294967295 msid:a b", "a=ssrc:x", "a=ssrc-group:FID 1 2", "a=ssrc-group:FID 1", "a=ssrc-group:SIM 1 2 3", "a=ssrc-group:FEC-FR 1 1", "a=ssrc-group:FID",
	"a=msid:- -", "a=msid:x", "a=msid:a b c",
	"a=extmap:0 urn:ietf:params:rtp-hdrext:sdes:mid", "a=extmap:255 urn:ietf:params:rtp-hdrext:sdes:mid", "a=extmap:15/recvonly urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id", "a=extmap:x y", "a=extmap:1",
	"a=rtpmap:96 VP8/0", "a=rtpmap:96 VP8", "a=rtpmap:255 VP9/90000", "a=rtpmap:111 opus/48000/99", "a=rtpmap:96", "a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96", "a=fmtp:97 apt=97", "a=fmtp:96 apt=", "a=fmtp:", "a=rtcp-fb:* nack", "a=rtcp-fb:96 nack pli", "a=rtcp-fb:",
	"a=candidate:1 1 udp 1 127.0.0.1 9 typ host", "a=candidate:x", "a=candidate:1 1 tcp 1 127.0.0.1 9 typ host tcptype passive", "a=candidate:1 1 udp 1 x.local 9 typ host", "a=end-of-candidates",
	"m=video 9 UDP/TLS/RTP/SAVPF 96", "m=audio 0 UDP/TLS/RTP/SAVPF 111", "m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "m=video 9 RTP/AVP", "m=text 9 UDP/TLS/RTP/SAVPF 0", "m=", "a=sctp-port:5000", "a=max-message-size:0",
	"a=rtcp-mux", "a=rtcp:9 IN IP4 0.0.0.0", "a=rtcp-mux-only", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x", "a=identity:x", "c=IN IP4 0.0.0.0", "b=AS:0", "b=TIAS:99999999999", "v=1", "s=", "t=1 2", "a=", "x", "",
}

// realOffers makes what browsers would offer.
func realOffers(t *testing.T) (offers []string) {
	t.Helper()
	for _, kinds := range [][]webrtc.RTPCodecType{
		{webrtc.RTPCodecTypeVideo},
		{webrtc.RTPCodecTypeAudio},
		{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo},
		{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo},
	} {
		for _, data := range []bool{false, true} {
			peer := newPeer(t)
			for _, kind := range kinds {
				codec := map[webrtc.RTPCodecType]string{webrtc.RTPCodecTypeVideo: webrtc.MimeTypeVP8, webrtc.RTPCodecTypeAudio: webrtc.MimeTypeOpus}[kind]
				track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: codec}, kind.String(), "stream")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := peer.AddTrack(track); err != nil {
					t.Fatal(err)
				}
			}
			if data {
				if _, err := peer.CreateDataChannel("data", nil); err != nil {
					t.Fatal(err)
				}
			}
			offer, err := peer.CreateOffer(nil)
			if err != nil {
				t.Fatal(err)
			}
			offers = append(offers, complete(t, peer, offer), offer.SDP)
			_ = peer.GracefulClose()
		}
	}
	return offers
}

func TestHostileClientsDisturbNobody(t *testing.T) { // not parallel: it counts goroutines
	duration, seed := hostileTime, uint64(hostileSeed)
	if d, err := time.ParseDuration(os.Getenv("GALENE_HOSTILE")); err == nil {
		duration, seed = d, uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	offers := realOffers(t)
	m := newMeeting(t)
	source := testkit.NewSource(testkit.SourceOptions{Codec: testkit.VP8, KeyframeEvery: 25})
	alice, bob := m.join("room", "alice", testkit.ClientOptions{}), m.watch("room", "bob", testkit.ClientOptions{})
	m.play(m.publish(alice, testkit.StreamOptions{Sources: []*testkit.Source{source}}))
	track := m.tracks(m.stream(bob), 1)[0]
	m.received(track, 10, 0)
	before, goroutines := heap(), runtime.NumGoroutine()

	ctx, cancel := context.WithTimeout(m.ctx, duration)
	defer cancel()
	var attacks sync.WaitGroup
	for i := range uint64(6) {
		h := &hostile{random: rand.New(rand.NewPCG(seed, i)), endpoint: m.server.Endpoint(), name: fmt.Sprintf("hostile%d", i), offers: offers}
		attacks.Go(func() { h.attack(ctx) })
	}
	for n := 0; ctx.Err() == nil; n++ {
		m.received(track, 10, source.Made())
		word := fmt.Sprintf("word %d", n)
		if err := alice.Chat("", word); err != nil {
			t.Fatal(err)
		}
		if _, err := bob.WaitChat(m.ctx, word); err != nil {
			t.Fatalf("chat is held up: %v", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	attacks.Wait()

	wantGoroutines(t, goroutines)
	if after := heap(); after > before+hostileHeap {
		t.Errorf("%d bytes are in use, %d before", after, before)
	}
	if strings.Contains(m.server.Log(), "panic") {
		t.Error("there was a panic in the server")
	}
}

// wantGoroutines waits until there are about n goroutines again.
func wantGoroutines(t *testing.T, n int) {
	t.Helper()
	const slack = 5 // of clients that are about to do something
	for deadline := time.Now().Add(testkit.Patience); runtime.NumGoroutine() > n+slack; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Errorf("%d goroutines are left of %d before\n%s", runtime.NumGoroutine(), n, stacks[:runtime.Stack(stacks, true)])
			return
		}
	}
}

// heap is how much memory is in use.
func heap() uint64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

// newPeer returns a browser's side of a connection.
func newPeer(t *testing.T) *webrtc.PeerConnection {
	t.Helper()
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	media := new(webrtc.MediaEngine)
	if err := media.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	peer, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings), webrtc.WithMediaEngine(media)).
		NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = peer.GracefulClose() })
	return peer
}

// complete sets a local description and returns it with all candidates.
func complete(t *testing.T, peer *webrtc.PeerConnection, description webrtc.SessionDescription) string {
	t.Helper()
	gathered := webrtc.GatheringCompletePromise(peer)
	if err := peer.SetLocalDescription(description); err != nil {
		t.Fatal(err)
	}
	<-gathered
	return peer.LocalDescription().SDP
}
