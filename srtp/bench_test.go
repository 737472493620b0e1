package srtp

import (
	"bytes"
	"testing"

	"github.com/pion/rtp"
)

// benchShape is a video packet: 1150 octets of payload behind a header with an extension.
var benchShape = shape{"video", 0, 3, 1150}

// BenchmarkSeal seals successive packets of one SSRC, as the sender of a track does.
func BenchmarkSeal(b *testing.B) {
	for _, p := range profiles {
		b.Run(p.String(), func(b *testing.B) {
			s := newSealer(b, keysFor(b, p, 1), true)
			header, payload := benchShape.packet(b, 1, 0)
			dst := make([]byte, 0, 1500)
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for index := uint64(0); b.Loop(); index++ {
				s.Seal(dst, header, payload, 1, index)
			}
		})
	}
}

// BenchmarkSealPion is BenchmarkSeal with pion/srtp, into a buffer that is used again.
func BenchmarkSealPion(b *testing.B) {
	for _, p := range profiles {
		b.Run(p.String(), func(b *testing.B) {
			c := pionContext(b, keysFor(b, p, 1), true)
			raw, payload := benchShape.packet(b, 1, 0)
			var header rtp.Header
			if _, err := header.Unmarshal(raw); err != nil {
				b.Fatal(err)
			}
			plain := append(bytes.Clone(raw), payload...)
			dst := make([]byte, 0, 1500)
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				header.SequenceNumber++
				if _, err := c.EncryptRTP(dst, plain, &header); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpen opens one packet over and over.
func BenchmarkOpen(b *testing.B) {
	for _, p := range profiles {
		b.Run(p.String(), func(b *testing.B) {
			keys := keysFor(b, p, 1)
			o := newOpener(b, keys, true)
			header, payload := benchShape.packet(b, 1, 7)
			sealed := newSealer(b, keys, true).Seal(nil, header, payload, 1, 7)
			dst := make([]byte, 1500)
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := o.Open(dst, sealed, len(header), 1, 7); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpenPion is BenchmarkOpen with pion/srtp, without its replay protection.
func BenchmarkOpenPion(b *testing.B) {
	for _, p := range profiles {
		b.Run(p.String(), func(b *testing.B) {
			keys := keysFor(b, p, 1)
			c := pionContext(b, keys, true)
			raw, payload := benchShape.packet(b, 1, 7)
			sealed := newSealer(b, keys, true).Seal(nil, raw, payload, 1, 7)
			var header rtp.Header
			if _, err := header.Unmarshal(raw); err != nil {
				b.Fatal(err)
			}
			dst := make([]byte, 0, 1500)
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.DecryptRTP(dst, sealed, &header); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSealTurns seals for many subscribers in turn, each with two SSRCs, as forwarding does: keys and tables are then
// not in the nearest cache.
func BenchmarkSealTurns(b *testing.B) {
	for _, p := range profiles {
		b.Run(p.String(), func(b *testing.B) {
			sealers := make([]*Sealer, 50)
			for i := range sealers {
				sealers[i] = newSealer(b, keysFor(b, p, uint64(i)), true)
			}
			header, payload := benchShape.packet(b, 1, 0)
			dst := make([]byte, 0, 1500)
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for i := uint64(0); b.Loop(); i++ {
				sealers[i%50].Seal(dst, header, payload, uint32(i/50%2)*0x9e3779b9, i/100)
			}
		})
	}
}

// BenchmarkNewSealer derives session keys and makes the ciphers, as once per connection and direction.
func BenchmarkNewSealer(b *testing.B) {
	for _, p := range profiles {
		b.Run(p.String(), func(b *testing.B) {
			keys := keysFor(b, p, 1)
			b.ReportAllocs()
			for b.Loop() {
				newSealer(b, keys, true)
			}
		})
	}
}

func BenchmarkReplay(b *testing.B) {
	var r Replay
	b.ReportAllocs()
	for index := uint64(0); b.Loop(); index++ {
		if r.Fresh(index) {
			r.Accept(index)
		}
	}
}
