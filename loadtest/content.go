package loadtest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// contentTrailer is the length of what ends each payload: number of the stream, index of the packet, time of sending,
// length of the content, checksum of all these.
const contentTrailer = 4 + 4 + 8 + 2 + 4

// patternPeriod is after how many octets content begins anew.
const patternPeriod = 4096

// errContent is returned for a payload that is not what its publisher sent.
var errContent = errors.New("corrupt packet")

// content tells which packet a payload belongs to. It stands at the payload's end, behind a descriptor
// that servers may rewrite.
type content struct {
	stream uint32 // number of the stream
	index  uint32 // of the packet within the stream, modulo 2³²
	sent   int64  // nanoseconds on the run's clock
}

// pattern is what payloads are filled with. It is immutable.
type pattern []byte

// newPattern returns octets without regularity.
func newPattern() pattern {
	p := make(pattern, patternPeriod+maxPayload)
	x := uint32(1)
	for i := range p {
		x ^= x << 13 // Marsaglia's xorshift
		x ^= x >> 17
		x ^= x << 5
		p[i] = byte(x >> 24)
	}
	return p
}

// filler returns the n octets that precede c's trailer.
func (p pattern) filler(c content, n int) []byte {
	start := (c.stream*131 + c.index*17) % patternPeriod
	return p[start:][:n]
}

// put fills b, which is at least contentTrailer and at most maxPayload octets long, with c.
func (p pattern) put(b []byte, c content) {
	n := len(b) - contentTrailer
	copy(b, p.filler(c, n))
	t := b[n:]
	binary.BigEndian.PutUint32(t, c.stream)
	binary.BigEndian.PutUint32(t[4:], c.index)
	binary.BigEndian.PutUint64(t[8:], uint64(c.sent))
	binary.BigEndian.PutUint16(t[16:], uint16(len(b)))
	binary.BigEndian.PutUint32(t[18:], crc32.ChecksumIEEE(t[:18]))
}

// check returns the content of a payload of the given stream. It returns [errContent] if an octet of it has
// changed or is missing, or if it is another stream's.
func (p pattern) check(payload []byte, stream uint32) (content, error) {
	if len(payload) < contentTrailer {
		return content{}, fmt.Errorf("%w: it has %d octets", errContent, len(payload))
	}
	t := payload[len(payload)-contentTrailer:]
	if got, want := crc32.ChecksumIEEE(t[:18]), binary.BigEndian.Uint32(t[18:]); got != want {
		return content{}, fmt.Errorf("%w: its checksum is %08x, not %08x", errContent, got, want)
	}
	c := content{
		stream: binary.BigEndian.Uint32(t),
		index:  binary.BigEndian.Uint32(t[4:]),
		sent:   int64(binary.BigEndian.Uint64(t[8:])),
	}
	size := int(binary.BigEndian.Uint16(t[16:]))
	switch {
	case size < contentTrailer || size > min(len(payload), maxPayload):
		return content{}, fmt.Errorf("%w: its content had %d octets, the payload has %d", errContent, size, len(payload))
	case c.stream != stream:
		return content{}, fmt.Errorf("%w: it is of stream %d, not %d", errContent, c.stream, stream)
	}
	filler := payload[len(payload)-size : len(payload)-contentTrailer]
	if !bytes.Equal(filler, p.filler(c, len(filler))) {
		return content{}, fmt.Errorf("%w: packet %d of stream %d was changed", errContent, c.index, c.stream)
	}
	return c, nil
}
