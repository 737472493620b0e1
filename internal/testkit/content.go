package testkit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// contentTrailer is the length of what ends each payload: index, frame, flags,
// length of the content, checksum.
const contentTrailer = 8 + 4 + 1 + 2 + 4

// ErrContent is returned for a payload that is not what its source made.
var ErrContent = errors.New("testkit: payload is damaged")

// Content tells which of a source's packets a payload is. It stands at the
// payload's end, behind whatever descriptor the codec has, which a forwarder may
// rewrite.
type Content struct {
	Index       uint64 // of the packet, from 0
	Frame       uint32 // of the frame, from 0
	Keyframe    bool   // of a keyframe
	First, Last bool   // of its frame
}

// append adds size bytes to b, at least contentTrailer: filler that depends on
// the index, the content, and a checksum of both.
func (c Content) append(b []byte, size int) []byte {
	start := len(b)
	size = max(size, contentTrailer)
	for i := range size - contentTrailer {
		b = append(b, byte(c.Index)+byte(i*7)|1) // not zero, as in coded media
	}
	b = binary.BigEndian.AppendUint64(b, c.Index)
	b = binary.BigEndian.AppendUint32(b, c.Frame)
	var flags byte
	for i, set := range []bool{c.Keyframe, c.First, c.Last} {
		if set {
			flags |= 1 << i
		}
	}
	b = append(b, flags)
	b = binary.BigEndian.AppendUint16(b, uint16(size))
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[start:]))
}

// ParseContent checks the content of a payload and returns it. It returns
// [ErrContent] if a byte of it has changed or is missing.
func ParseContent(payload []byte) (Content, error) {
	if len(payload) < contentTrailer {
		return Content{}, fmt.Errorf("%w: %d bytes", ErrContent, len(payload))
	}
	trailer := payload[len(payload)-contentTrailer:]
	size := int(binary.BigEndian.Uint16(trailer[13:]))
	if size < contentTrailer || size > len(payload) {
		return Content{}, fmt.Errorf("%w: says it has %d bytes of %d", ErrContent, size, len(payload))
	}
	content := payload[len(payload)-size : len(payload)-4]
	if got, want := crc32.ChecksumIEEE(content), binary.BigEndian.Uint32(trailer[15:]); got != want {
		return Content{}, fmt.Errorf("%w: checksum %08x, want %08x", ErrContent, got, want)
	}
	flags := trailer[12]
	return Content{
		Index:    binary.BigEndian.Uint64(trailer),
		Frame:    binary.BigEndian.Uint32(trailer[8:]),
		Keyframe: flags&1 != 0,
		First:    flags&2 != 0,
		Last:     flags&4 != 0,
	}, nil
}
