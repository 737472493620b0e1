package loadtest

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

func TestContentIsRecognised(t *testing.T) {
	t.Parallel()
	p := newPattern()
	for _, size := range []int{contentTrailer, contentTrailer + 1, 79, 1035, maxPayload} {
		for _, descriptor := range []int{0, 1, 16} {
			want := content{stream: 7, index: 1<<32 - 1, sent: 123456789}
			b := make([]byte, descriptor+size)
			p.put(b[descriptor:], want)
			if got, err := p.check(b, 7); err != nil || got != want {
				t.Errorf("check of %d octets behind a descriptor of %d = %+v, %v, want %+v", size, descriptor, got, err, want)
			}
		}
	}
}

func TestCorruptionIsNoticed(t *testing.T) {
	t.Parallel()
	p := newPattern()
	const descriptor, size = 6, 300
	good := make([]byte, descriptor+size)
	p.put(good[descriptor:], content{stream: 3, index: 42, sent: 1})
	damage := func(f func(b []byte) []byte) []byte { return f(slices.Clone(good)) }

	for i := descriptor; i < len(good); i++ {
		bad := damage(func(b []byte) []byte { b[i] ^= 0x10; return b })
		if _, err := p.check(bad, 3); !errors.Is(err, errContent) {
			t.Fatalf("check after octet %d of %d was changed = %v, want %v", i, len(good), err, errContent)
		}
	}
	tests := []struct {
		name   string
		in     []byte
		stream uint32
	}{
		{"of another stream", good, 4},
		{"end cut off", damage(func(b []byte) []byte { return b[:len(b)-1] }), 3},
		{"start cut off", damage(func(b []byte) []byte { return b[descriptor+1:] }), 3},
		{"an octet missing", damage(func(b []byte) []byte { return slices.Delete(b, 100, 101) }), 3},
		{"two octets exchanged", damage(func(b []byte) []byte { b[100], b[101] = b[101], b[100]; return b }), 3},
		{"zeros", make([]byte, len(good)), 3},
		{"too short", good[:contentTrailer-1], 3},
		{"nothing", nil, 3},
		{"still encrypted", newPattern()[500:900], 3},
	}
	for _, tt := range tests {
		if _, err := p.check(tt.in, tt.stream); !errors.Is(err, errContent) {
			t.Errorf("%s: check = %v, want %v", tt.name, err, errContent)
		}
	}
}

func TestContentDoesNotAllocate(t *testing.T) { // not parallel: it counts
	p := newPattern()
	b := make([]byte, 1000)
	got := testing.AllocsPerRun(1000, func() {
		p.put(b, content{stream: 1})
		if _, err := p.check(b, 1); err != nil {
			t.Error(err)
		}
	})
	if got != 0 {
		t.Errorf("%v allocations for a packet, want 0", got)
	}
}

// Whatever a server sends, check accepts exactly what put makes.
func FuzzCheck(f *testing.F) {
	p := newPattern()
	seed := make([]byte, 100)
	p.put(seed, content{stream: 5, index: 6, sent: 7})
	f.Add(seed)
	f.Add(seed[:contentTrailer])
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := p.check(b, 5)
		if err != nil {
			if !errors.Is(err, errContent) {
				t.Fatalf("check(%x) = %v", b, err)
			}
			return
		}
		size := int(b[len(b)-6])<<8 | int(b[len(b)-5])
		want := make([]byte, size)
		p.put(want, c)
		if !bytes.HasSuffix(b, want) {
			t.Fatalf("check(%x) = %+v, which is put as %x", b, c, want)
		}
	})
}
