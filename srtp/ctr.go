package srtp

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// scratchLen is the room for one packet's payload and a tag; for larger payloads the scratch space grows.
const scratchLen = 1500 + aes.BlockSize

// counterMode is AES in counter mode from any first counter, without an allocation per packet.
//
// crypto/cipher computes many blocks at a time, several times as fast as one by one, in two
// ways. [cipher.NewCTR] allocates for each first counter. GCM does not: its encryption is counter mode that begins
// behind a block J0, and with a nonce of 16 octets N (NIST SP 800-38D §7.1)
//
//	J0 = (N·H ⊕ L)·H
//
// in GF(2¹²⁸), where H is the cipher of the zero block, and L the length of the nonce. So the nonce for a given J0 is
//
//	N = J0·H⁻² ⊕ L·H⁻¹
//
// and the tag, which GCM computes on the way, is thrown away. N is linear in J0 but for a constant: when J0
// changes, the change of N is the sum of one row per bit that changed, and from one packet to the next few do.
// How long this takes depends on the sequence of SSRCs and indices alone, which are public.
type counterMode struct {
	aead    cipher.AEAD  // shared with clones: it has no state
	rows    [128]element // x^i·H⁻²
	j0      element      // the J0 of nonce
	n       element      // nonce, as an element
	nonce   [aes.BlockSize]byte
	scratch []byte // encrypted payload and useless tag
}

func newCounterMode(key []byte) (*counterMode, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("srtp: %w", err)
	}
	aead, err := cipher.NewGCMWithNonceSize(block, aes.BlockSize)
	if err != nil {
		return nil, fmt.Errorf("srtp: %w", err)
	}
	var zero [aes.BlockSize]byte
	block.Encrypt(zero[:], zero[:])
	h := elementOf(zero[:])
	if h == (element{}) {
		return nil, errors.New("srtp: weak key")
	}
	inverse := h.inverse()
	c := &counterMode{aead: aead, scratch: make([]byte, 0, scratchLen)}
	c.n = inverse.times(element{lo: 8 * aes.BlockSize})
	row := inverse.times(inverse)
	for i := range c.rows {
		c.rows[i] = row
		row = row.timesX()
	}
	return c, nil
}

// xor encrypts or decrypts src to dst, which may be the same, from the counter first, whose lower 16 bits
// are zero.
func (c *counterMode) xor(dst, src []byte, first element) {
	// GCM counts in the lower 32 bits, and begins behind J0.
	c.seek(element{hi: first.hi, lo: first.lo&^0xffffffff | uint64(uint32(first.lo)-1)})
	c.scratch = c.aead.Seal(c.scratch[:0], c.nonce[:], src, nil)
	copy(dst, c.scratch[:len(src)])
}

// seek sets the nonce for j0.
func (c *counterMode) seek(j0 element) {
	n := c.n
	for d := j0.hi ^ c.j0.hi; d != 0; {
		i := bits.LeadingZeros64(d)
		d &^= 1 << 63 >> i
		n = n.plus(c.rows[i])
	}
	for d := j0.lo ^ c.j0.lo; d != 0; {
		i := bits.LeadingZeros64(d)
		d &^= 1 << 63 >> i
		n = n.plus(c.rows[64+i])
	}
	c.j0, c.n = j0, n
	binary.BigEndian.PutUint64(c.nonce[:], n.hi)
	binary.BigEndian.PutUint64(c.nonce[8:], n.lo)
}

func (c *counterMode) clone() *counterMode {
	d := *c
	d.scratch = make([]byte, 0, scratchLen)
	return &d
}

func (c *counterMode) wipe() {
	clear(c.scratch[:cap(c.scratch)])
	*c = counterMode{}
}

// element is an element of GF(2¹²⁸) as GCM writes it: the coefficient of x^0 is the first bit of the first octet
// (NIST SP 800-38D §6.3).
type element struct{ hi, lo uint64 }

// elementOf reads 16 octets.
func elementOf(b []byte) element {
	return element{hi: binary.BigEndian.Uint64(b), lo: binary.BigEndian.Uint64(b[8:])}
}

func (e element) plus(f element) element { return element{hi: e.hi ^ f.hi, lo: e.lo ^ f.lo} }

// timesX returns x·e, reduced by x^128 + x^7 + x^2 + x + 1.
func (e element) timesX() element {
	const reduction = 0xe1 << 56
	return element{hi: e.hi>>1 ^ -(e.lo&1)&reduction, lo: e.lo>>1 | e.hi<<63}
}

// times returns e·f, in constant time.
func (e element) times(f element) element {
	var product element
	for _, word := range [...]uint64{f.hi, f.lo} {
		for range 64 {
			mask := uint64(int64(word) >> 63)
			product.hi ^= e.hi & mask
			product.lo ^= e.lo & mask
			word <<= 1
			e = e.timesX()
		}
	}
	return product
}

// square returns e²: zeros go between the coefficients, and what is above x^127 is reduced.
func (e element) square() element {
	low := element{hi: spread(uint32(e.hi >> 32)), lo: spread(uint32(e.hi))}
	high := element{hi: spread(uint32(e.lo >> 32)), lo: spread(uint32(e.lo))}
	// x^128 = x^7 + x^2 + x + 1; of the product with that, up to x^133 is left to reduce once more.
	above := high.lo<<63 ^ high.lo<<62 ^ high.lo<<57
	high.hi ^= above
	return low.plus(element{
		hi: high.hi ^ high.hi>>1 ^ high.hi>>2 ^ high.hi>>7,
		lo: high.lo ^ (high.lo>>1 | high.hi<<63) ^ (high.lo>>2 | high.hi<<62) ^ (high.lo>>7 | high.hi<<57),
	})
}

// spread puts a zero behind each bit of w.
func spread(w uint32) uint64 {
	x := uint64(w)
	x = (x | x<<16) & 0x0000ffff0000ffff
	x = (x | x<<8) & 0x00ff00ff00ff00ff
	x = (x | x<<4) & 0x0f0f0f0f0f0f0f0f
	x = (x | x<<2) & 0x3333333333333333
	x = (x | x<<1) & 0x5555555555555555
	return x << 1
}

// inverse returns 1/e, which is e^(2¹²⁸-2), unless e is zero.
func (e element) inverse() element {
	t := e // e^(2^k-1)
	for k := 1; k < 127; k = 2*k + 1 {
		u := t
		for range k {
			u = u.square()
		}
		t = u.times(t).square().times(e)
	}
	return t.square()
}
