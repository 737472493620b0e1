package group

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

func TestStreamsBelongToTheirPublisher(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": ops})
	op, p := h.join("room", "op"), h.join("room", "presenter")
	g := op.Group()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(op.Publish(Stream{ID: "a", Publisher: "forged", Username: "forged", Version: 99}))
	first := one[StreamPublished](p)
	if first.Publisher != "op" || first.Username != "op" || first.Version != 1 {
		t.Errorf("published %+v, want op's first", first.Stream)
	}
	if bodies := pick[StreamPublished](op.take()); len(bodies) != 0 {
		t.Errorf("the publisher was told %+v of its own stream", bodies)
	}

	if err := p.Publish(Stream{ID: "a"}); !errors.Is(err, ErrStreamTaken) {
		t.Errorf("publishing another's id = %v, want ErrStreamTaken", err)
	}
	p.Withdraw("a")
	must(p.Publish(Stream{ID: "b", Replaces: "a"}))
	if got := one[StreamPublished](op); got.Replaces != "" || got.ID != "b" {
		t.Errorf("replacing another's stream gave %+v, want b that replaces nothing", got.Stream)
	}
	if got := ids(g.Streams(nil)); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("streams = %v, want [a b]", got)
	}

	must(p.Publish(Stream{ID: "c", Replaces: "b"}))
	bodies := op.take()
	if got := pick[StreamPublished](bodies); len(bodies) != 1 || len(got) != 1 || got[0].Replaces != "b" {
		t.Errorf("replacing an own stream gave %+v, want one event", bodies)
	}
	must(p.Publish(Stream{ID: "c", Label: "again", Replaces: "c"}))
	if got := one[StreamPublished](op); got.Version <= first.Version || got.Label != "again" || got.Replaces != "" {
		t.Errorf("publishing again gave %+v, want a later version", got.Stream)
	}
	if got := ids(g.Streams(nil)); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("streams = %v, want [a c]", got)
	}
	if got := ids(g.Streams(p.Member)); !slices.Equal(got, []string{"a"}) {
		t.Errorf("streams but the presenter's = %v, want [a]", got)
	}
	p.Withdraw("c")
	if got := one[StreamWithdrawn](op); got.ID != "c" {
		t.Errorf("withdrawn %+v, want c", got.Stream)
	}
	p.Withdraw("c")
	if bodies := op.take(); len(bodies) != 0 {
		t.Errorf("withdrawing again gave %+v", bodies)
	}
	must(op.Publish(Stream{ID: "c"}))
}

func TestPublishingNeedsThePermissionAndIsBounded(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": ops})
	listener, p := h.join("room", "listener"), h.join("room", "presenter")
	if err := listener.Publish(Stream{ID: "a"}); !errors.Is(err, ErrNotPermitted) {
		t.Errorf("Publish by a listener = %v, want ErrNotPermitted", err)
	}
	for i := range maxStreams {
		if err := p.Publish(Stream{ID: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Publish(Stream{ID: "more"}); !errors.Is(err, ErrTooManyStreams) {
		t.Errorf("one stream more = %v, want ErrTooManyStreams", err)
	}
	if err := p.Publish(Stream{ID: "0"}); err != nil {
		t.Errorf("the same stream again = %v, want nil", err)
	}
	if err := p.Publish(Stream{ID: "more", Replaces: "0"}); err != nil {
		t.Errorf("one in place of another = %v, want nil", err)
	}
}

func TestUnpresentWithdrawsStreams(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": ops})
	op, p := h.join("room", "op"), h.join("room", "presenter")
	for _, id := range []string{"a", "b"} {
		if err := p.Publish(Stream{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	if err := op.Publish(Stream{ID: "c"}); err != nil {
		t.Fatal(err)
	}
	op.take()
	p.take()
	if err := op.Group().SetPermission("presenter", Unpresent); err != nil {
		t.Fatal(err)
	}
	var gone []*Stream
	for _, w := range pick[StreamWithdrawn](op.take()) {
		gone = append(gone, w.Stream)
	}
	if got := ids(gone); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("withdrawn = %v, want [a b]", got)
	}
	if got := ids(op.Group().Streams(nil)); !slices.Equal(got, []string{"c"}) {
		t.Errorf("streams = %v, want [c]", got)
	}
	if own := pick[StreamWithdrawn](p.take()); len(own) != 0 {
		t.Errorf("the publisher was told %+v of its own streams", own)
	}
	if err := p.Publish(Stream{ID: "a"}); !errors.Is(err, ErrNotPermitted) {
		t.Errorf("Publish afterwards = %v, want ErrNotPermitted", err)
	}
}

func ids(streams []*Stream) []string {
	var ids []string
	for _, s := range streams {
		ids = append(ids, s.ID)
	}
	return ids
}
