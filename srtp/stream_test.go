package srtp

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/pion/rtp"
	pionsrtp "github.com/pion/srtp/v3"
)

// starts are the first sequence numbers of test streams.
var starts = []uint16{0, 1, 32767, 32768, 65535}

// indicesFrom returns the indices of the packets that a sender sends: all around each multiple of 2^15, and few in between.
func indicesFrom(start uint16) []uint64 {
	var indices []uint64
	end := uint64(start) + 3<<16
	for i := uint64(start); i < end; {
		indices = append(indices, i)
		if near := i % (1 << 15); near < 40 || near >= 1<<15-40 {
			i++
		} else {
			i += min(1009, 1<<15-40-near)
		}
	}
	return indices
}

// disorder returns the places of n packets in the order of their arrival: some are late, some are lost, some come
// twice. The first is the first, as a receiver that starts behind it cannot know what it missed.
func disorder(r *rand.Rand, n int) []int {
	type arrival struct{ place, at int }
	arrivals := []arrival{{}}
	for i := 1; i < n; i++ {
		switch r.IntN(10) {
		case 0: // lost
		case 1:
			arrivals = append(arrivals, arrival{i, i}, arrival{i, i + 1 + r.IntN(5)})
		case 2, 3:
			arrivals = append(arrivals, arrival{i, i + 1 + r.IntN(5)})
		default:
			arrivals = append(arrivals, arrival{i, i})
		}
	}
	order := make([][]int, n+6)
	for _, a := range arrivals {
		order[a.at] = append(order[a.at], a.place)
	}
	var places []int
	for _, at := range order {
		places = append(places, at...)
	}
	return places
}

func TestStreamsBothWaysWithPion(t *testing.T) {
	t.Parallel()
	for _, p := range profiles {
		for _, start := range starts {
			t.Run(fmt.Sprintf("%v/from %d", p, start), func(t *testing.T) {
				t.Parallel()
				s := stream{keys: keysFor(t, p, uint64(start)), ssrc: 0xfeed0000 | uint32(start), indices: indicesFrom(start)}
				s.send(t)
				s.receiveByPion(t)
				s.receive(t)
			})
		}
	}
}

// stream is one SSRC on its way.
type stream struct {
	keys    *Keys
	ssrc    uint32
	indices []uint64
	headers []int // lengths
	plain   [][]byte
	sealed  [][]byte
}

// order returns the order in which the packets arrive.
func (s *stream) order() []int { return disorder(rand.New(rand.NewPCG(3, 4)), len(s.indices)) }

// send seals all packets, by pion in order and by a Sealer at random, and compares.
func (s *stream) send(t *testing.T) {
	t.Helper()
	small := []shape{{"", 0, 0, 20}, {"", 0, 0, 0}, {"", 2, 3, 33}, {"", 0, 7, 16}}
	peer := pionContext(t, s.keys, false)
	for i, index := range s.indices {
		header, payload := small[i%len(small)].packet(t, s.ssrc, index)
		plain := append(bytes.Clone(header), payload...)
		sealed, err := peer.EncryptRTP(nil, plain, nil)
		if err != nil {
			t.Fatal(err)
		}
		s.headers, s.plain, s.sealed = append(s.headers, len(header)), append(s.plain, plain), append(s.sealed, sealed)
	}
	sealer := newSealer(t, s.keys, false)
	for _, i := range rand.New(rand.NewPCG(5, 6)).Perm(len(s.indices)) {
		got := sealer.Seal(nil, s.plain[i][:s.headers[i]], s.plain[i][s.headers[i]:], s.ssrc, s.indices[i])
		if !bytes.Equal(got, s.sealed[i]) {
			t.Fatalf("index %#x: sealed %x to %x, pion has %x", s.indices[i], s.plain[i], got, s.sealed[i])
		}
	}
}

// receiveByPion has pion open what arrives, and refuse what comes twice.
func (s *stream) receiveByPion(t *testing.T) {
	t.Helper()
	params, _ := s.keys.profile.parameters()
	key, salt := s.keys.master(false, params)
	peer, err := pionsrtp.CreateContext(key, salt, pionsrtp.ProtectionProfile(s.keys.profile),
		pionsrtp.SRTPReplayProtection(1024))
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[int]bool)
	for _, i := range s.order() {
		got, err := peer.DecryptRTP(nil, s.sealed[i], nil)
		if seen[i] {
			if err == nil {
				t.Errorf("index %#x: pion takes it twice", s.indices[i])
			}
			continue
		}
		seen[i] = true
		if err != nil && s.tooOld(seen, i) {
			continue
		}
		if err != nil || !bytes.Equal(got, s.plain[i]) {
			t.Fatalf("index %#x: pion opens %x to %x, %v, want %x", s.indices[i], s.sealed[i], got, err, s.plain[i])
		}
	}
}

// tooOld reports whether packet i is outside the window behind the newest of those seen.
func (s *stream) tooOld(seen map[int]bool, i int) bool {
	newest := uint64(0)
	for j := range seen {
		newest = max(newest, s.indices[j])
	}
	return newest >= s.indices[i]+replaySize
}

// receive opens what arrives by its sequence number alone.
func (s *stream) receive(t *testing.T) {
	t.Helper()
	opener := newOpener(t, s.keys, false)
	var replay Replay
	dst := make([]byte, 1500)
	seen := make(map[int]bool)
	opened := 0
	for _, i := range s.order() {
		var header rtp.Header
		headerLen, err := header.Unmarshal(s.sealed[i])
		if err != nil {
			t.Fatal(err)
		}
		index := uint64(header.SequenceNumber)
		if highest, ok := replay.Highest(); ok {
			index = EstimateIndex(highest, header.SequenceNumber)
		}
		if index != s.indices[i] {
			t.Fatalf("packet %#x is taken for %#x", s.indices[i], index)
		}
		wantFresh := !seen[i]
		seen[i] = true
		if s.tooOld(seen, i) {
			wantFresh = false
		}
		if got := replay.Fresh(index); got != wantFresh {
			t.Fatalf("index %#x fresh: %v, want %v", index, got, wantFresh)
		}
		if !wantFresh {
			continue
		}
		n, err := opener.Open(dst, s.sealed[i], headerLen, header.SSRC, index)
		if err != nil || !bytes.Equal(dst[:n], s.plain[i]) {
			t.Fatalf("index %#x: opened %x to %x, %v, want %x", index, s.sealed[i], dst[:n], err, s.plain[i])
		}
		replay.Accept(index)
		opened++
	}
	if opened < len(s.indices)/2 {
		t.Errorf("opened %d packets of %d", opened, len(s.indices))
	}
}

func TestChangedPacketsAreRefused(t *testing.T) {
	t.Parallel()
	for _, p := range profiles {
		for _, s := range []shape{{"no payload", 0, 0, 0}, {"all fields", 3, 9, 40}} {
			t.Run(fmt.Sprintf("%v/%s", p, s.name), func(t *testing.T) {
				t.Parallel()
				checkChanges(t, p, s)
			})
		}
	}
}

// checkChanges seals a packet and gives it, with each of its bits changed in turn, to pion and to an Opener.
func checkChanges(t *testing.T, p Profile, s shape) {
	t.Helper()
	const ssrc, index = 0x11223344, 77
	keys := keysFor(t, p, 9)
	header, payload := s.packet(t, ssrc, index)
	sealed := newSealer(t, keys, true).Seal(nil, header, payload, ssrc, index)
	peer, opener := pionContext(t, keys, true), newOpener(t, keys, true)
	dst := make([]byte, len(sealed))
	intact := func() {
		t.Helper()
		if _, err := peer.DecryptRTP(nil, sealed, nil); err != nil {
			t.Fatalf("pion refuses the packet as it was sealed: %v", err)
		}
		if _, err := opener.Open(dst, sealed, len(header), ssrc, index); err != nil {
			t.Fatalf("the packet as it was sealed is refused: %v", err)
		}
	}
	intact()
	for bit := range 8 * len(sealed) {
		changed := bytes.Clone(sealed)
		changed[bit/8] ^= 1 << (bit % 8)
		if got, err := peer.DecryptRTP(nil, bytes.Clone(changed), nil); err == nil {
			t.Errorf("bit %d changed: pion opens it to %x", bit, got)
		}
		clear(dst)
		if n, err := opener.Open(dst, changed, len(header), ssrc, index); !errors.Is(err, ErrAuthentication) || n != 0 {
			t.Errorf("bit %d changed: opened to %x, %v", bit, dst[:n], err)
		}
		var parsed rtp.Header
		n, err := parsed.Unmarshal(changed)
		if err != nil {
			continue
		}
		_, err = opener.Open(dst, changed, n, parsed.SSRC, EstimateIndex(index, parsed.SequenceNumber))
		if !errors.Is(err, ErrAuthentication) {
			t.Errorf("bit %d changed: opened by its own header, %v", bit, err)
		}
		if bytes.Count(dst, []byte{0}) != len(dst) {
			t.Errorf("bit %d changed: %x is left", bit, dst)
		}
	}
	for length := range sealed {
		if _, err := opener.Open(dst, sealed[:length], len(header), ssrc, index); !errors.Is(err, ErrAuthentication) {
			t.Errorf("the first %d octets are opened, %v", length, err)
		}
	}
	intact()
}

func TestPacketsOfAnotherContextAreRefused(t *testing.T) {
	t.Parallel()
	const ssrc, index = 5, 3<<16 | 9
	for _, p := range profiles {
		keys := keysFor(t, p, 1)
		header, payload := shape{"", 0, 0, 50}.packet(t, ssrc, index)
		sealed := newSealer(t, keys, true).Seal(nil, header, payload, ssrc, index)
		dst := make([]byte, len(sealed))
		for _, test := range []struct {
			name   string
			opener *Opener
			ssrc   uint32
			index  uint64
			want   error
		}{
			{"its own", newOpener(t, keys, true), ssrc, index, nil},
			{"the keys of the other side", newOpener(t, keys, false), ssrc, index, ErrAuthentication},
			{"other keys", newOpener(t, keysFor(t, p, 2), true), ssrc, index, ErrAuthentication},
			{"the turn before", newOpener(t, keys, true), ssrc, index - 1<<16, ErrAuthentication},
			{"the next turn", newOpener(t, keys, true), ssrc, index + 1<<16, ErrAuthentication},
			{"another SSRC", newOpener(t, keys, true), ssrc + 1, index, ErrAuthentication},
			{"another sequence number", newOpener(t, keys, true), ssrc, index + 1, ErrAuthentication},
		} {
			if _, err := test.opener.Open(dst, sealed, len(header), test.ssrc, test.index); !errors.Is(err, test.want) {
				t.Errorf("%v, %s: error %v, want %v", p, test.name, err, test.want)
			}
		}
	}
}

func TestOpenWithEveryHeaderLength(t *testing.T) {
	t.Parallel()
	const ssrc, index = 5, 9
	for _, p := range profiles {
		keys := keysFor(t, p, 1)
		header, payload := shape{"", 1, 3, 30}.packet(t, ssrc, index)
		sealed := newSealer(t, keys, true).Seal(nil, header, payload, ssrc, index)
		opener, dst := newOpener(t, keys, true), make([]byte, len(sealed))
		for headerLen := -20; headerLen < len(sealed)+20; headerLen++ {
			n, err := opener.Open(dst, sealed, headerLen, ssrc, index)
			switch plain := len(header) + len(payload); {
			case headerLen == len(header):
				if err != nil || n != plain {
					t.Errorf("%v, its own header length %d: %d octets, %v", p, headerLen, n, err)
				}
			case headerLen < 12 || headerLen > plain:
				if !errors.Is(err, ErrAuthentication) {
					t.Errorf("%v, header length %d: %v, want %v", p, headerLen, err, ErrAuthentication)
				}
			}
		}
		for length := range 12 {
			for headerLen := range 13 {
				if _, err := opener.Open(dst, sealed[:length], headerLen, ssrc, index); !errors.Is(err, ErrAuthentication) {
					t.Errorf("%v, %d octets, header length %d: %v, want %v", p, length, headerLen, err, ErrAuthentication)
				}
			}
		}
	}
}
