package srtp

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
)

// mixed returns packets of several SSRCs and turns with their indices, the same at each call.
func mixed(tb testing.TB, n int) (headers, payloads [][]byte, ssrcs []uint32, indices []uint64) {
	tb.Helper()
	r := rand.New(rand.NewPCG(7, 8))
	for range n {
		ssrc, index := r.Uint32N(3)*0x9e3779b9, r.Uint64N(1<<48)
		header, payload := shape{"", r.IntN(3), r.IntN(4), r.IntN(300)}.packet(tb, ssrc, index)
		headers, payloads = append(headers, header), append(payloads, payload)
		ssrcs, indices = append(ssrcs, ssrc), append(indices, index)
	}
	return headers, payloads, ssrcs, indices
}

func TestTheSamePacketSealsToTheSameOctets(t *testing.T) {
	t.Parallel()
	headers, payloads, ssrcs, indices := mixed(t, 300)
	for _, p := range profiles {
		keys := keysFor(t, p, 1)
		sealer := newSealer(t, keys, true)
		var first [][]byte
		for i := range headers {
			first = append(first, sealer.Seal(nil, headers[i], payloads[i], ssrcs[i], indices[i]))
		}
		for _, i := range rand.Perm(len(headers)) {
			if got := sealer.Seal(nil, headers[i], payloads[i], ssrcs[i], indices[i]); !bytes.Equal(got, first[i]) {
				t.Fatalf("%v, packet %d: sealed to %x, then to %x", p, i, first[i], got)
			}
		}
		seen := make(map[string]bool)
		for _, sealed := range first {
			seen[string(sealed)] = true
		}
		if len(seen) != len(first) {
			t.Errorf("%v: %d packets seal to %d", p, len(first), len(seen))
		}
	}
}

func TestCounterModeIsThatOfTheStandardLibrary(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		key := make([]byte, 16)
		fill(key, r.Uint64())
		c, err := newCounterMode(key)
		if err != nil {
			t.Fatal(err)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		for range 200 {
			first := element{hi: r.Uint64(), lo: r.Uint64() << 16}
			if r.IntN(8) == 0 {
				first.lo &^= 0xffffffff // sequence number and salt cancel out
			}
			src := make([]byte, r.IntN(2000))
			fill(src, r.Uint64())
			var iv [16]byte
			binary.BigEndian.PutUint64(iv[:], first.hi)
			binary.BigEndian.PutUint64(iv[8:], first.lo)
			want, got := make([]byte, len(src)), make([]byte, len(src))
			cipher.NewCTR(block, iv[:]).XORKeyStream(want, src)
			c.xor(got, src, first)
			if !bytes.Equal(got, want) {
				t.Fatalf("key %x, counter %x: %x is encrypted to %x, want %x", key, iv, src, got, want)
			}
		}
	}
}

func TestSealWritesNothingButThePacket(t *testing.T) {
	t.Parallel()
	headers, payloads, ssrcs, indices := mixed(t, 50)
	for _, p := range profiles {
		sealer := newSealer(t, keysFor(t, p, 1), true)
		for i, header := range headers {
			want := sealer.Seal(nil, header, payloads[i], ssrcs[i], indices[i])
			before := bytes.Repeat([]byte{0xa5}, 100+len(want)+100)
			space := bytes.Clone(before)
			// header and payload in place already
			copy(space[100:], header)
			copy(space[100+len(header):], payloads[i])
			inPlace := space[100+len(header):][:len(payloads[i])]
			got := sealer.Seal(space[:100], space[100:100+len(header)], inPlace, ssrcs[i], indices[i])
			if &got[0] != &space[0] {
				t.Fatalf("%v, packet %d: the space was not used", p, i)
			}
			copy(before[100:], want)
			if !bytes.Equal(space, before) {
				t.Fatalf("%v, packet %d: space holds %x, want %x", p, i, space, before)
			}
			if got := sealer.Seal(before[:3:3], header, payloads[i], ssrcs[i], indices[i]); !bytes.Equal(got[3:], want) {
				t.Fatalf("%v, packet %d: without room sealed to %x, want %x", p, i, got[3:], want)
			}
		}
	}
}

func TestOpenInPlaceAndBeside(t *testing.T) {
	t.Parallel()
	headers, payloads, ssrcs, indices := mixed(t, 50)
	for _, p := range profiles {
		keys := keysFor(t, p, 1)
		sealer, opener := newSealer(t, keys, true), newOpener(t, keys, true)
		for i, header := range headers {
			sealed := sealer.Seal(nil, header, payloads[i], ssrcs[i], indices[i])
			plain := append(bytes.Clone(header), payloads[i]...)
			packet, dst := bytes.Clone(sealed), make([]byte, 0, len(sealed))
			n, err := opener.Open(dst, packet, len(header), ssrcs[i], indices[i])
			if err != nil || !bytes.Equal(dst[:n], plain) || !bytes.Equal(packet, sealed) {
				t.Fatalf("%v, packet %d: opened %x to %x, %v, want %x", p, i, packet, dst[:n], err, plain)
			}
			if n, err = opener.Open(packet, packet, len(header), ssrcs[i], indices[i]); err != nil || !bytes.Equal(packet[:n], plain) {
				t.Fatalf("%v, packet %d: opened in place to %x, %v, want %x", p, i, packet[:n], err, plain)
			}
			if len(plain) < len(sealed) {
				_, err = opener.Open(make([]byte, len(sealed)-1), sealed, len(header), ssrcs[i], indices[i])
				if !errors.Is(err, io.ErrShortBuffer) {
					t.Fatalf("%v, packet %d: too little room gives %v", p, i, err)
				}
			}
		}
	}
}

func TestClonesSealAtTheSameTime(t *testing.T) {
	t.Parallel()
	headers, payloads, ssrcs, indices := mixed(t, 200)
	for _, p := range profiles {
		sealer := newSealer(t, keysFor(t, p, 1), true)
		var want [][]byte
		for i := range headers {
			want = append(want, sealer.Seal(nil, headers[i], payloads[i], ssrcs[i], indices[i]))
		}
		var wg sync.WaitGroup
		for g := range 4 {
			clone, err := sealer.Clone()
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				for _, i := range rand.New(rand.NewPCG(uint64(g), 0)).Perm(len(headers)) {
					if got := clone.Seal(nil, headers[i], payloads[i], ssrcs[i], indices[i]); !bytes.Equal(got, want[i]) {
						t.Errorf("%v, packet %d: a clone seals to %x, want %x", p, i, got, want[i])
					}
				}
				clone.Wipe()
			})
		}
		sealer.Wipe()
		wg.Wait()
	}
}

func TestNothingIsAllocatedPerPacket(t *testing.T) {
	for _, p := range profiles {
		keys := keysFor(t, p, 1)
		sealer, opener := newSealer(t, keys, true), newOpener(t, keys, true)
		header, payload := benchShape.packet(t, 1, 0)
		var packet [1500]byte
		dst := make([]byte, 1500)
		var replay Replay
		index := uint64(0)
		allocs := testing.AllocsPerRun(200, func() {
			index += 100
			binary.BigEndian.PutUint16(header[2:], uint16(index))
			sealed := sealer.Seal(packet[:0], header, payload, 1, index)
			highest, _ := replay.Highest()
			if got := EstimateIndex(highest, uint16(index)); got != index || !replay.Fresh(got) {
				t.Errorf("index %#x, want %#x", got, index)
			}
			if _, err := opener.Open(dst, sealed, len(header), 1, index); err != nil {
				t.Error(err)
			}
			replay.Accept(index)
		})
		if allocs != 0 {
			t.Errorf("%v: %v allocations per packet, want none", p, allocs)
		}
	}
}

func TestWipeZeroesWhatIsOurs(t *testing.T) {
	t.Parallel()
	zero := func(what string, b []byte) {
		t.Helper()
		if len(b) == 0 || bytes.Count(b, []byte{0}) != len(b) {
			t.Errorf("%s holds %x after Wipe", what, b)
		}
	}
	secrets := &Secrets{Master: make([]byte, 48), ClientRandom: make([]byte, 32), ServerRandom: make([]byte, 32)}
	master, clientRandom, serverRandom := secrets.Master, secrets.ClientRandom, secrets.ServerRandom
	fill(master, 1)
	fill(clientRandom, 2)
	fill(serverRandom, 3)
	secrets.Wipe()
	zero("the master secret", master)
	zero("the client's random", clientRandom)
	zero("the server's random", serverRandom)
	if secrets.Master != nil {
		t.Error("the secrets still point to the master secret")
	}

	for _, p := range profiles {
		keys := keysFor(t, p, 1)
		sealer, opener := newSealer(t, keys, true), newOpener(t, keys, true)
		clone, err := sealer.Clone()
		if err != nil {
			t.Fatal(err)
		}
		material := keys.material
		keys.Wipe()
		zero("the key material", material)
		if _, err := keys.NewSealer(true); !errors.Is(err, errWiped) {
			t.Errorf("%v: a Sealer from wiped keys: %v", p, err)
		}
		if _, err := keys.NewOpener(true); !errors.Is(err, errWiped) {
			t.Errorf("%v: an Opener from wiped keys: %v", p, err)
		}
		checkWipe(t, p, sealer, opener, clone)
	}
}

// checkWipe wipes sealer and opener, and looks at what is left of them; clone goes on.
func checkWipe(t *testing.T, p Profile, sealer *Sealer, opener *Opener, clone *Sealer) {
	t.Helper()
	header, payload := shape{"", 0, 0, 500}.packet(t, 1, 2)
	sealed := sealer.Seal(nil, header, payload, 1, 2)
	dst := make([]byte, len(sealed))
	if _, err := opener.Open(dst, sealed, len(header), 1, 2); err != nil {
		t.Errorf("%v: %v, although only the master keys were wiped", p, err)
	}
	for _, inner := range []transform{sealer.transform, opener.transform} {
		switch inner := inner.(type) {
		case *gcm:
			defer func() {
				if *inner != (gcm{}) {
					t.Errorf("%v: %+v is left", p, inner)
				}
			}()
		case *cm:
			ctr, scratch := inner.ctr, inner.ctr.scratch
			defer func() {
				if ctr.aead != nil || ctr.rows != [128]element{} || ctr.n != (element{}) || ctr.nonce != [16]byte{} ||
					inner.salt != (element{}) || inner.mac != nil || inner.ctr != nil || inner.sum != [20]byte{} {
					t.Errorf("%v: %+v and %+v are left", p, inner, ctr)
				}
				if bytes.Count(scratch, []byte{0}) != len(scratch) {
					t.Errorf("%v: the scratch space holds %x", p, scratch)
				}
			}()
		default:
			t.Fatalf("%v: a transform of type %T", p, inner)
		}
	}
	sealer.Wipe()
	sealer.Wipe()
	opener.Wipe()
	opener.Wipe()
	if got := sealer.Seal(dst[:4], header, payload, 1, 2); len(got) != 4 || sealer.Overhead() != 0 {
		t.Errorf("%v: a wiped Sealer appends %x", p, got[4:])
	}
	if _, err := sealer.Clone(); !errors.Is(err, errWiped) {
		t.Errorf("%v: a wiped Sealer is cloned: %v", p, err)
	}
	if _, err := opener.Open(dst, sealed, len(header), 1, 2); !errors.Is(err, errWiped) || opener.Overhead() != 0 {
		t.Errorf("%v: a wiped Opener opens: %v", p, err)
	}
	if got := clone.Seal(nil, header, payload, 1, 2); !bytes.Equal(got, sealed) {
		t.Errorf("%v: the clone seals %x, want %x", p, got, sealed)
	}
}
