package group

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"galene/config"
)

func TestWHIPMembersMustBePermittedToPublish(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": ops})
	op := h.join("room", "op")
	op.take()
	username := "listener"
	c := Credentials{Username: &username, Password: "secret"}
	_, refusal := h.tryAs("room", c, Newcomer{ID: "w", Kind: WHIPMember})
	if !errors.Is(refusal, ErrNotPermitted) || errors.Is(refusal, ErrUnauthorised) {
		t.Errorf("a listener joins to publish: %v, want ErrNotPermitted", refusal)
	}
	if bodies := op.take(); len(bodies) != 0 {
		t.Errorf("others were told %+v, want nothing", bodies)
	}
}

func TestWHEPMembersHaveNoPermissions(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": ops})
	h.Registry = NewRegistry(Options{
		Directory: h.dir, PollOnly: true,
		Settings: func() *config.Settings { return &config.Settings{RecheckMembers: true} },
	})
	username := "op"
	c := Credentials{Username: &username, Password: "secret"}
	viewer, refusal := h.tryAs("room", c, Newcomer{ID: "v", Kind: WHEPMember})
	if refusal != nil {
		t.Fatal(refusal)
	}
	if got := viewer.Permissions().List(); len(got) != 0 {
		t.Errorf("permissions of a viewer = %v, want none", got)
	}
	if err := viewer.Publish(Stream{ID: "s"}); !errors.Is(err, ErrNotPermitted) {
		t.Errorf("Publish by a viewer = %v, want ErrNotPermitted", err)
	}
	viewer.take()
	synctest.Test(t, func(t *testing.T) {
		defer h.run()()
		h.define("room", `{"users":{"op":{"password":"secret","permissions":"present"}}}`)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := viewer.Permissions().List(); len(got) != 0 {
			t.Errorf("permissions after a change of the definition = %v, want none", got)
		}
		if kicked := pick[Kicked](viewer.take()); len(kicked) != 0 {
			t.Errorf("a viewer that is still a user was told %+v", kicked)
		}
	})
}

func TestRefusalsTellWhetherTryingAgainHelps(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"full": `{"max-clients":1,` + ops[1:], "room": ops})
	h.join("full", "presenter")
	if _, refusal := h.try("full", "2", "listener", "secret"); !errors.Is(refusal, ErrUnavailable) {
		t.Errorf("joining a full group: %v, want ErrUnavailable", refusal)
	}
	if _, refusal := h.try("room", "1", "op", "wrong"); errors.Is(refusal, ErrUnavailable) || !errors.Is(refusal, ErrUnauthorised) {
		t.Errorf("a wrong password: %v, want ErrUnauthorised only", refusal)
	}
	h.Shutdown("")
	if _, refusal := h.try("room", "1", "op", "secret"); !errors.Is(refusal, ErrUnavailable) {
		t.Errorf("joining when the server ends: %v, want ErrUnavailable", refusal)
	}
}
