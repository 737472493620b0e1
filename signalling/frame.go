package signalling

import (
	"encoding/binary"
	"sync"
)

// textFrame is the first byte of a text message in one frame (RFC 6455 §5.2).
const textFrame = 0x81

// appendFrame appends a message to b as one frame from a server, which is not
// masked.
func appendFrame(b, message []byte) []byte {
	switch n := len(message); {
	case n <= 125:
		b = append(b, textFrame, byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, textFrame, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, textFrame, 127), uint64(n))
	}
	return append(b, message...)
}

// buffers is memory for frames while they are written. Any goroutine.
type buffers struct{ pool sync.Pool }

type buffer struct{ bytes []byte }

// maxBuffer is the largest buffer that is kept.
const maxBuffer = 2 * maxWrite

func (b *buffers) get() *buffer {
	if kept, ok := b.pool.Get().(*buffer); ok {
		return kept
	}
	return new(buffer)
}

func (b *buffers) put(used *buffer) {
	if cap(used.bytes) <= maxBuffer {
		used.bytes = used.bytes[:0]
		b.pool.Put(used)
	}
}
