package codecs

import (
	"bytes"
	"testing"
)

func TestTrimPadding(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		payload []byte
		padded  bool
		want    []byte
		ok      bool
	}{
		{"no padding", []byte{1, 2, 3}, false, []byte{1, 2, 3}, true},
		{"no padding, nothing", nil, false, nil, true},
		{"two bytes", []byte{1, 0, 2}, true, []byte{1}, true},
		{"the count alone", []byte{1, 2, 1}, true, []byte{1, 2}, true},
		{"nothing but padding", []byte{0, 0, 3}, true, []byte{}, true},
		{"count of zero", []byte{1, 2, 0}, true, nil, false},
		{"count beyond the payload", []byte{1, 2, 4}, true, nil, false},
		{"no room for a count", nil, true, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := TrimPadding(tt.payload, tt.padded)
			if !bytes.Equal(got, tt.want) || ok != tt.ok {
				t.Errorf("TrimPadding(%x, %v) = %x, %v, want %x, %v", tt.payload, tt.padded, got, ok, tt.want, tt.ok)
			}
			if ok && PaddingOnly(got) != (len(tt.want) == 0) {
				t.Errorf("PaddingOnly(%x) = %v", got, PaddingOnly(got))
			}
		})
	}
}
