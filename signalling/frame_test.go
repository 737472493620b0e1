package signalling

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// RFC 6455 §5.2: seven, sixteen or sixty-four bits of length.
func TestFramesHaveTheShortestHeader(t *testing.T) {
	t.Parallel()
	tests := []struct {
		length int
		header string
	}{
		{0, "8100"},
		{1, "8101"},
		{125, "817d"},
		{126, "817e007e"},
		{65535, "817effff"},
		{65536, "817f0000000000010000"},
	}
	for _, tt := range tests {
		message := bytes.Repeat([]byte{'x'}, tt.length)
		header, err := hex.DecodeString(tt.header)
		if err != nil {
			t.Fatal(err)
		}
		got := appendFrame([]byte("before"), message)
		want := append(append([]byte("before"), header...), message...)
		if !bytes.Equal(got, want) {
			t.Errorf("frame of %d bytes begins with %x, want %s", tt.length, got[6:min(len(got), 16)], tt.header)
		}
	}
}

func TestFramesThatFitABufferTakeNoMemory(t *testing.T) {
	b := new(buffers)
	message := make([]byte, 200)
	allocations := testing.AllocsPerRun(100, func() {
		used := b.get()
		used.bytes = appendFrame(used.bytes, message)
		b.put(used)
	})
	if allocations >= 1 { // the pool may be emptied now and then
		t.Errorf("%v allocations, want none", allocations)
	}
}
