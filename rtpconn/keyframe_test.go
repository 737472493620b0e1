package rtpconn

import (
	"testing"
	"time"
)

func TestFullIntraRequestsAreToldApartBySender(t *testing.T) {
	t.Parallel()
	var f firFilter
	for i, s := range []struct {
		sender uint32
		number uint8
		want   bool
	}{
		{1, 7, true},
		{2, 7, true},
		{1, 7, false}, // although another sender's came in between
		{2, 7, false},
		{1, 8, true},
		{2, 7, false},
		{3, 0, true},
		{4, 0, true},
		{1, 8, false},
		{5, 0, true}, // in the place of the first
		{2, 7, false},
		{1, 8, true},
	} {
		if got := f.isNew(s.sender, s.number); got != s.want {
			t.Errorf("step %d: request %d of sender %d is new: %v, want %v", i, s.number, s.sender, got, s.want)
		}
	}
}

// A FIR that is repeated has its number again, which a new one must not have.
func TestOurFullIntraRequestsAreNumbered(t *testing.T) {
	t.Parallel()
	var k keyframeRequester
	var numbers []uint8
	now := epoch
	for range 3 {
		k.want()
		for range 2 {
			now = now.Add(10 * time.Second)
			if !k.due(now, 0) {
				t.Fatal("no request is due")
			}
			numbers = append(numbers, k.number)
		}
		k.received()
	}
	for i := 1; i < len(numbers); i++ {
		if want := numbers[i-1] + uint8(1-i%2); numbers[i] != want {
			t.Errorf("request %d has number %d, want %d", i, numbers[i], want)
		}
	}
}

// Publishers fill spare bandwidth with copies of what they have sent lately. That is no answer to a request.
func TestCopyOfAKeyframeDoesNotAnswerARequest(t *testing.T) {
	t.Parallel()
	track := newBareUpTrack(t, "vp8")
	if err := track.AddSink(newCollector()); err != nil {
		t.Fatal(err)
	}
	in := &testIngest{ingest: ingest{track: track}}
	keyframe := vp8.raw(t, 1, 96, true)
	receive(in, keyframe, epoch)
	track.RequestKeyframe()
	receive(in, keyframe, epoch)
	if !track.keyframe.wanted {
		t.Error("the same keyframe again ends the request")
	}
	receive(in, vp8.raw(t, 2, 96, true), epoch)
	if track.keyframe.wanted {
		t.Error("another keyframe does not end it")
	}
}
