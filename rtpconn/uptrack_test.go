package rtpconn

import (
	"testing"
	"time"
)

func TestCacheHasRoomForKeyframesOfSlowTracks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		codec            string
		packetsPerSecond float64
		want             int
	}{
		{"vp8", 0, 256},
		{"vp8", 5, 256},
		{"vp8", 1000, 1024},
		{"opus", 0, 64},
		{"opus", 50, 64},
	} {
		track := newBareUpTrack(t, tt.codec)
		track.fitCache(tt.packetsPerSecond, 50*time.Millisecond)
		if got := int(track.capacity.Load()); got != tt.want {
			t.Errorf("%s with %v packets per second: room for %d, want %d", tt.codec, tt.packetsPerSecond, got, tt.want)
		}
	}
}

// A keyframe after a long time of little is whole when somebody joins.
func TestNewcomersAreStartedFromALargeKeyframeOfASlowTrack(t *testing.T) {
	t.Parallel()
	track := newBareUpTrack(t, "vp8")
	track.fitCache(2, 50*time.Millisecond)
	in := &testIngest{ingest: ingest{track: track}}
	now := epoch
	for n := range uint32(120) {
		receive(in, vp8.raw(t, 1+n, 96, n == 0), now)
	}
	if first, last, ok := track.cache.GroupOfPictures(now); !ok || last-first != 119 {
		t.Errorf("the keyframe is packets %d to %d, %v, want 120 of them", first, last, ok)
	}
}
