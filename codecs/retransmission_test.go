package codecs

import "testing"

func TestRetransmissionsFollowTheirFormat(t *testing.T) {
	t.Parallel()
	want := map[uint8]Format{
		96:  {"rtx", Video, "video/rtx", 90000, 0, "apt=96", 97},
		98:  {"rtx", Video, "video/rtx", 90000, 0, "apt=98", 99},
		100: {"rtx", Video, "video/rtx", 90000, 0, "apt=100", 101},
		35:  {"rtx", Video, "video/rtx", 90000, 0, "apt=35", 36},
		108: {"rtx", Video, "video/rtx", 90000, 0, "apt=108", 109},
		102: {"rtx", Video, "video/rtx", 90000, 0, "apt=102", 103},
	}
	taken := make(map[uint8]bool)
	for _, f := range formats {
		taken[f.PayloadType] = true
	}
	baseline, _ := ForDown("video/H264", 90000, 0, "")
	for _, f := range append([]Format{baseline}, formats...) {
		got, ok := RetransmissionOf(f)
		if ok != (f.Kind == Video) || got != want[f.PayloadType] {
			t.Errorf("RetransmissionOf(%v) = %v, %v, want %v", f, got, ok, want[f.PayloadType])
		}
		if ok && taken[got.PayloadType] {
			t.Errorf("payload type %d is taken", got.PayloadType)
		}
		if of, found := AssociatedType(got.Fmtp); ok && (!found || of != f.PayloadType) {
			t.Errorf("AssociatedType(%q) = %d, %v, want %d", got.Fmtp, of, found, f.PayloadType)
		}
	}
	for _, f := range []Format{{Kind: Video}, {Kind: Video, PayloadType: 127}} {
		if got, ok := RetransmissionOf(f); ok {
			t.Errorf("RetransmissionOf(%v) = %v, want none", f, got)
		}
	}
}

func TestAssociatedTypeIsRead(t *testing.T) {
	t.Parallel()
	tests := []struct {
		fmtp string
		want uint8
		ok   bool
	}{
		{"apt=96", 96, true},
		{"apt=0", 0, true},
		{"rtx-time=3000; APT = 127", 127, true},
		{"apt=128", 0, false},
		{"apt=-1", 0, false},
		{"apt=", 0, false},
		{"xapt=96", 0, false},
		{"", 0, false},
	}
	for _, tt := range tests {
		if got, ok := AssociatedType(tt.fmtp); got != tt.want || ok != tt.ok {
			t.Errorf("AssociatedType(%q) = %d, %v, want %d, %v", tt.fmtp, got, ok, tt.want, tt.ok)
		}
	}
}
