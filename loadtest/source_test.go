package loadtest

import (
	"slices"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
)

// played is what a source would have sent in a time.
func played(t *testing.T, s Scenario, span time.Duration) (src *source, turns []time.Duration) {
	t.Helper()
	track, err := webrtc.NewTrackLocalStaticRTP(videoCodec.RTPCodecCapability, "video", "stream")
	if err != nil {
		t.Fatal(err)
	}
	r := &run{scenario: s, start: time.Now(), pattern: newPattern()}
	src = r.newVideo(0, track, silentPort{})
	src.next = r.start
	for at := r.start; at.Sub(r.start) < span; {
		turns = append(turns, at.Sub(r.start))
		at = src.play(at)
	}
	if list := r.failures.list(); len(list) > 0 {
		t.Errorf("failures: %v", list)
	}
	return src, turns
}

func TestFramesAreSentAtOnceOrPaced(t *testing.T) {
	t.Parallel()
	s := valid()
	src, turns := played(t, s, time.Second)
	if got := src.sent.Load(); len(turns) != 30 && len(turns) != 31 || got != uint64(6*len(turns)) {
		t.Errorf("%d packets in %d turns of a second, want 6 in each of 30", got, len(turns))
	}

	s.Paced = true
	_, turns = played(t, s, time.Second)
	for i, at := range turns[1:] {
		if gap := at - turns[i]; gap < time.Millisecond {
			t.Fatalf("turns at %v and %v", turns[i], at)
		}
	}
	src, turns = played(t, s, 10*time.Second)
	if got := src.sent.Load(); got < 1790 || got > 1810 {
		t.Errorf("paced: %d packets in 10 seconds, want about 1800", got)
	}
	if frames := 300; len(turns) < 2*frames || len(turns) > 4*frames {
		t.Errorf("paced: %d turns for %d frames, want 2 to 4 each", len(turns), frames)
	}
}

func TestKeyframesComeWhenAskedFor(t *testing.T) {
	t.Parallel()
	s := valid()
	s.KeyframeInterval = time.Second
	track, err := webrtc.NewTrackLocalStaticRTP(videoCodec.RTPCodecCapability, "video", "stream")
	if err != nil {
		t.Fatal(err)
	}
	r := &run{scenario: s, start: time.Now(), pattern: newPattern()}
	src := r.newVideo(0, track, silentPort{})
	at := r.start
	src.next = at
	var keyframes []int
	for i := range 60 {
		if i == 10 {
			src.wanted.Store(true)
		}
		at = src.play(at)
		if src.key {
			keyframes = append(keyframes, i)
		}
	}
	if want := []int{0, 10, 40}; !slices.Equal(keyframes, want) {
		t.Errorf("keyframes are frames %v, want %v", keyframes, want)
	}
}

func TestALateSourceDoesNotMakeUpForEverything(t *testing.T) {
	t.Parallel()
	s := valid()
	track, err := webrtc.NewTrackLocalStaticRTP(videoCodec.RTPCodecCapability, "video", "stream")
	if err != nil {
		t.Fatal(err)
	}
	r := &run{scenario: s, start: time.Now(), pattern: newPattern()}
	src := r.newVideo(0, track, silentPort{})
	src.next = r.start
	late := r.start.Add(time.Minute)
	if next := src.play(late); next.Before(late) {
		t.Errorf("a minute late, the next frame is due %v ago", late.Sub(next))
	}
	if len(r.failures.list()) != 1 {
		t.Errorf("failures %v, want that publishers cannot keep up", r.failures.list())
	}
}

// silentPort sends nothing.
type silentPort struct{ port }

func (silentPort) gather()  {}
func (silentPort) release() {}
