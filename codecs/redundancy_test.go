package codecs

import (
	"bytes"
	"testing"
)

// redBlock is one block of a payload with redundancy.
type redBlock struct {
	payloadType uint8
	offset      uint16 // of 14 bits
	data        []byte
}

// makeRED returns the payload of blocks, the last of which is the primary one.
func makeRED(blocks ...redBlock) []byte {
	var headers, data []byte
	for i, b := range blocks {
		data = append(data, b.data...)
		if i == len(blocks)-1 {
			headers = append(headers, b.payloadType)
			break
		}
		headers = append(headers, b.payloadType|redMore, byte(b.offset>>6), byte(b.offset<<2)|byte(len(b.data)>>8), byte(len(b.data)))
	}
	return append(headers, data...)
}

func TestPrimaryBlockIsFound(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat([]byte{7}, 1023)
	tests := []struct {
		name    string
		payload []byte
		want    []byte
		ok      bool
	}{
		{"the primary alone", makeRED(redBlock{111, 0, []byte{1, 2}}), []byte{1, 2}, true},
		{"one redundant", makeRED(redBlock{111, 960, []byte{9}}, redBlock{111, 0, []byte{1, 2}}), []byte{1, 2}, true},
		{"two redundant, one long", makeRED(redBlock{111, 16383, long}, redBlock{111, 960, nil}, redBlock{111, 0, []byte{3}}), []byte{3}, true},
		{"an empty primary", makeRED(redBlock{111, 960, []byte{9}}, redBlock{111, 0, nil}), []byte{}, true},
		{"two codecs", makeRED(redBlock{0, 960, []byte{9}}, redBlock{111, 0, []byte{1}}), nil, false},
		{"nothing", nil, nil, false},
		{"half a header", []byte{111 | redMore, 1, 2}, nil, false},
		{"no primary", []byte{111 | redMore, 0, 0, 0}, nil, false},
		{"a block beyond the end", []byte{111 | redMore, 0, 0, 9, 111, 1, 2}, nil, false},
	}
	for _, tt := range tests {
		payloadType, start, ok := ParseRED(tt.payload)
		if ok != tt.ok || ok && (payloadType != 111 || !bytes.Equal(tt.payload[start:], tt.want)) {
			t.Errorf("%s: ParseRED(%x) = %d, %d, %v, want %x, %v", tt.name, tt.payload, payloadType, start, ok, tt.want, tt.ok)
		}
	}
}

func TestRedundancyIsOfferedForOpus(t *testing.T) {
	t.Parallel()
	want := Format{"red", Audio, "audio/red", 48000, 2, "111/111", 63}
	for _, f := range formats {
		got, ok := RedundancyOf(f)
		if ok != (f.Name == "opus") || ok && got != want {
			t.Errorf("RedundancyOf(%v) = %v, %v", f, got, ok)
		}
		if f.PayloadType == redundancyType {
			t.Errorf("payload type %d is taken", f.PayloadType)
		}
	}
	for fmtp, want := range map[string]int{"111/111": 111, "63/63/63": 63, " 96 ": 96, "111/112": -1, "": -1, "200/200": -1, "a/a": -1, "111/": 111} {
		got, ok := RedundantType(fmtp)
		if ok != (want >= 0) || ok && int(got) != want {
			t.Errorf("RedundantType(%q) = %d, %v, want %d", fmtp, got, ok, want)
		}
	}
}

// Property: the primary block lies within the payload, and a payload made of one
// redundant block and it is read as it was made.
func FuzzParseRED(f *testing.F) {
	f.Add([]byte{111}, []byte{1})
	f.Add(makeRED(redBlock{111, 960, []byte{9}}, redBlock{111, 0, []byte{1, 2}}), []byte{})
	f.Fuzz(func(t *testing.T, payload, redundant []byte) {
		if _, start, ok := ParseRED(payload); ok && (start < 1 || start > len(payload)) {
			t.Fatalf("the primary block of %x begins at %d", payload, start)
		}
		redundant = redundant[:min(len(redundant), 1023)]
		made := makeRED(redBlock{111, 960, redundant}, redBlock{111, 0, payload})
		payloadType, start, ok := ParseRED(made)
		if !ok || payloadType != 111 || !bytes.Equal(made[start:], payload) {
			t.Fatalf("ParseRED(%x) = %d, %d, %v, want %x", made, payloadType, start, ok, payload)
		}
	})
}
