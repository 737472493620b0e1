package srtp

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/pion/rtp"
	pionsrtp "github.com/pion/srtp/v3"
)

// profiles are all that the package has.
var profiles = []Profile{AES128_CM_HMAC_SHA1_80, AEAD_AES_128_GCM, AEAD_AES_256_GCM}

// keysFor returns keys of a profile that are the same at each call with the same seed.
func keysFor(tb testing.TB, p Profile, seed uint64) *Keys {
	tb.Helper()
	params, ok := p.parameters()
	if !ok {
		tb.Fatalf("%v is not supported", p)
	}
	k := &Keys{profile: p, material: make([]byte, 2*(params.keyLen+params.saltLen))}
	fill(k.material, seed)
	return k
}

// fill fills b with octets that depend on seed alone.
func fill(b []byte, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
}

// pionContext returns pion's context with the write keys of one side.
func pionContext(tb testing.TB, k *Keys, server bool) *pionsrtp.Context {
	tb.Helper()
	params, _ := k.profile.parameters()
	key, salt := k.master(server, params)
	c, err := pionsrtp.CreateContext(bytes.Clone(key), bytes.Clone(salt), pionsrtp.ProtectionProfile(k.profile),
		pionsrtp.SRTPNoReplayProtection())
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func newSealer(tb testing.TB, k *Keys, server bool) *Sealer {
	tb.Helper()
	s, err := k.NewSealer(server)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func newOpener(tb testing.TB, k *Keys, server bool) *Opener {
	tb.Helper()
	o, err := k.NewOpener(server)
	if err != nil {
		tb.Fatal(err)
	}
	return o
}

// shape is what a test packet looks like.
type shape struct {
	name       string
	csrcs      int
	extension  int // octets of a header extension for one-octet headers; 0: none
	payloadLen int
}

var shapes = []shape{
	{"plain", 0, 0, 100},
	{"empty payload", 0, 0, 0},
	{"one octet", 0, 0, 1},
	{"whole blocks", 0, 0, 1152},
	{"a video packet with an extension", 0, 3, 1150},
	{"all CSRCs and an extension", 15, 16, 333},
	{"CSRCs without a payload", 3, 0, 0},
	{"an extension without a payload", 0, 5, 0},
	{"larger than the scratch space", 1, 1, 9000},
}

// packet makes a header and a payload of this shape.
func (s shape) packet(tb testing.TB, ssrc uint32, index uint64) (header, payload []byte) {
	tb.Helper()
	h := rtp.Header{
		Version: 2, Marker: index%3 == 0, PayloadType: 96,
		SequenceNumber: uint16(index), Timestamp: uint32(index * 3000), SSRC: ssrc,
	}
	for i := range s.csrcs {
		h.CSRC = append(h.CSRC, uint32(i)*0x01020304)
	}
	if s.extension > 0 {
		body := make([]byte, s.extension)
		fill(body, index)
		if err := h.SetExtension(1, body); err != nil {
			tb.Fatal(err)
		}
	}
	header, err := h.Marshal()
	if err != nil {
		tb.Fatal(err)
	}
	payload = make([]byte, s.payloadLen)
	fill(payload, index)
	return header, payload
}

func TestSealedPacketsAreThoseOfPion(t *testing.T) {
	t.Parallel()
	for _, p := range profiles {
		for _, server := range []bool{false, true} {
			keys := keysFor(t, p, 1)
			sealer, opener := newSealer(t, keys, server), newOpener(t, keys, server)
			for i, s := range shapes {
				t.Run(fmt.Sprintf("%v/%s/server=%v", p, s.name, server), func(t *testing.T) {
					ssrc, index := 0xdeadbee0+uint32(i), uint64(1000+i)
					header, payload := s.packet(t, ssrc, index)
					plain := append(bytes.Clone(header), payload...)
					want, err := pionContext(t, keys, server).EncryptRTP(nil, plain, nil)
					if err != nil {
						t.Fatal(err)
					}
					got := sealer.Seal(nil, header, payload, ssrc, index)
					if !bytes.Equal(got, want) {
						t.Fatalf("Seal(%x, %x) = %x, pion has %x", header, payload, got, want)
					}
					if len(got) != len(plain)+p.Overhead() {
						t.Errorf("sealed %d octets to %d, want %d more", len(plain), len(got), p.Overhead())
					}
					back, err := pionContext(t, keys, server).DecryptRTP(nil, got, nil)
					if err != nil || !bytes.Equal(back, plain) {
						t.Errorf("pion decrypts %x to %x, %v; want %x", got, back, err, plain)
					}
					dst := make([]byte, len(want))
					n, err := opener.Open(dst, want, len(header), ssrc, index)
					if err != nil || !bytes.Equal(dst[:n], plain) {
						t.Errorf("Open(%x) = %x, %v; want %x", want, dst[:n], err, plain)
					}
				})
			}
		}
	}
}

func TestEveryRolloverCounterIsThatOfPion(t *testing.T) {
	t.Parallel()
	const ssrc = 0xcafe0001
	for _, p := range profiles {
		keys := keysFor(t, p, 3)
		sealer, opener := newSealer(t, keys, true), newOpener(t, keys, true)
		for bit := range 32 {
			roc := uint32(1)<<bit | 1
			index := uint64(roc)<<16 | 0x1234
			header, payload := benchShape.packet(t, ssrc, index)
			peer := pionContext(t, keys, true)
			peer.SetROC(ssrc, roc)
			want, err := peer.EncryptRTP(nil, append(bytes.Clone(header), payload...), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := sealer.Seal(nil, header, payload, ssrc, index); !bytes.Equal(got, want) {
				t.Errorf("%v, rollover counter %#x: sealed to %x, pion has %x", p, roc, got, want)
			}
			if _, err := opener.Open(make([]byte, len(want)), want, len(header), ssrc, index); err != nil {
				t.Errorf("%v, rollover counter %#x: %v", p, roc, err)
			}
		}
	}
}
