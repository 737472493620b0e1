package group

import (
	"errors"
	"slices"
	"testing"
)

func TestPermissionChanges(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, definition, user string
		changes                []PermissionChange
		want                   []string
	}{
		{"op", ops, "presenter", []PermissionChange{Op}, []string{"present", "message", "op"}},
		{"op twice", ops, "presenter", []PermissionChange{Op, Op}, []string{"present", "message", "op"}},
		{
			"op where recording is allowed", `{"allow-recording":true,` + ops[1:], "presenter",
			[]PermissionChange{Op},
			[]string{"present", "message", "op", "record"},
		},
		{"op and unop", ops, "presenter", []PermissionChange{Op, Unop}, []string{"present", "message"}},
		{"unop takes the tokens too", ops, "op2", []PermissionChange{Unop}, []string{"present", "message", "caption"}},
		{
			"op gives back what unop took", `{"allow-recording":true,` + ops[1:], "op2",
			[]PermissionChange{Unop, Op},
			[]string{"present", "message", "caption", "op", "record", "token"},
		},
		{
			"unop leaves the tokens of presenters", `{"unrestricted-tokens":true,` + ops[1:], "presenter",
			[]PermissionChange{Op, Unop},
			[]string{"token", "present", "message"},
		},
		{"present", ops, "listener", []PermissionChange{Present}, []string{"message", "present"}},
		{"unpresent", ops, "presenter", []PermissionChange{Unpresent}, []string{"message"}},
		{"shutup", ops, "op2", []PermissionChange{Shutup}, []string{"op", "present", "caption", "token"}},
		{"unshutup", ops, "presenter", []PermissionChange{Shutup, Unshutup}, []string{"present", "message"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, map[string]string{"room": tt.definition})
			op, target := h.join("room", "op"), h.join("room", tt.user)
			for _, change := range tt.changes {
				op.take()
				target.take()
				if err := op.Group().SetPermission(tt.user, change); err != nil {
					t.Fatal(err)
				}
				bodies := target.take()
				if len(bodies) != 2 {
					t.Fatalf("target got %+v, want two events", bodies)
				}
				own, ok := bodies[0].(PermissionsChanged)
				if !ok || !slices.Equal(own.Permissions.List(), target.Permissions().List()) || own.Status.Name != "room" {
					t.Errorf("first event = %+v, want PermissionsChanged", bodies[0])
				}
				if news := one[MemberChanged](op); news.ID != tt.user ||
					!slices.Equal(news.Permissions.List(), target.Permissions().List()) {
					t.Errorf("others were told %+v", news)
				}
			}
			if got := target.Permissions().List(); !slices.Equal(got, tt.want) {
				t.Errorf("permissions = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestModerationDoesNotAffectOthersOfTheSameSet(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{
		"room": `{"users":{"raw":{"password":"secret","permissions":["op","present","message"]},` + ops[len(`{"users":{`):],
		"next": ops,
	})
	first := h.join("room", "op")
	for _, target := range []string{"op2", "presenter", "raw"} {
		p := h.join("room", target)
		for _, change := range []PermissionChange{Unop, Unpresent, Shutup} {
			if err := first.Group().SetPermission(target, change); err != nil {
				t.Fatal(err)
			}
		}
		if p.Permissions().Has(PermissionPresent) {
			t.Errorf("%s may still present", target)
		}
		p.Leave()
	}
	all := []string{"op", "present", "message", "caption", "token"}
	if got := first.Permissions().List(); !slices.Equal(got, all) {
		t.Errorf("permissions of op = %v, want %v", got, all)
	}
	for user, want := range map[string][]string{
		"op2": all, "presenter": {"present", "message"}, "raw": {"op", "present", "message"},
	} {
		if got := h.join("room", user).Permissions().List(); !slices.Equal(got, want) {
			t.Errorf("permissions of %s who joins later = %v, want %v", user, got, want)
		}
	}
	if got := h.join("next", "op2").Permissions().List(); !slices.Equal(got, all) {
		t.Errorf("permissions of op2 in another group = %v, want %v", got, all)
	}
}

func TestModerationNeedsSomebodyToModerate(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": ops})
	g := h.join("room", "op").Group()
	username := "presenter"
	c := Credentials{Username: &username, Password: "secret"}
	if _, refusal := h.tryAs("room", c, Newcomer{ID: "w", Kind: WHIPMember}); refusal != nil {
		t.Fatal(refusal)
	}
	if err := g.SetPermission("w", Unpresent); !errors.Is(err, ErrNotRealUser) {
		t.Errorf("SetPermission of a WHIP member = %v, want ErrNotRealUser", err)
	}
	if err := g.Send("w", NewEvent(g, 1)); !errors.Is(err, ErrNotChatting) {
		t.Errorf("Send to a WHIP member = %v, want ErrNotChatting", err)
	}
	if err := g.SetPermission("none", Op); !errors.Is(err, ErrNoSuchUser) {
		t.Errorf("SetPermission of nobody = %v, want ErrNoSuchUser", err)
	}
	if err := g.Kick("none", Kicker{}, ""); !errors.Is(err, ErrNoSuchUser) {
		t.Errorf("Kick of nobody = %v, want ErrNoSuchUser", err)
	}
	if err := g.Send("none", NewEvent(g, 1)); !errors.Is(err, ErrNoSuchUser) {
		t.Errorf("Send to nobody = %v, want ErrNoSuchUser", err)
	}
}

func TestKickTellsWhyAndByWhom(t *testing.T) {
	t.Parallel()
	name, empty := "op", ""
	tests := []struct {
		name            string
		by              Kicker
		given           string
		message, reason string
	}{
		{"nothing given", Kicker{}, "", "you have been kicked out", "kicked out"},
		{"message", Kicker{ID: "op"}, "enough", "enough", "kicked out (enough)"},
		{"name", Kicker{ID: "op", Username: &name}, "", "you have been kicked out", "kicked out by op"},
		{"both", Kicker{ID: "op", Username: &name}, "enough", "enough", "kicked out (enough) by op"},
		{"empty name", Kicker{ID: "op", Username: &empty}, "", "you have been kicked out", "kicked out"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, map[string]string{"room": ops})
			op, target := h.join("room", "op"), h.join("room", "presenter")
			target.take()
			for range 2 { // the second time adds nothing
				if err := op.Group().Kick("presenter", tt.by, tt.given); err != nil {
					t.Fatal(err)
				}
			}
			if got, want := one[Kicked](target), (Kicked{tt.by, tt.message, tt.reason}); got != want {
				t.Errorf("Kicked = %+v, want %+v", got, want)
			}
			if _, ok := op.Group().Find("presenter"); !ok {
				t.Error("the member is gone before its session has left")
			}
			target.Leave()
			if got := one[MemberLeft](op); got != (MemberLeft{"presenter", "presenter"}) {
				t.Errorf("op was told %+v", got)
			}
		})
	}
}

// The last operator can go in two ways, and both have the same consequences.
func TestAutomaticRulesFollowTheLastOperator(t *testing.T) {
	t.Parallel()
	ways := map[string]func(op *peer){
		"leaves": func(op *peer) { op.Leave() },
		"is demoted": func(op *peer) {
			if err := op.Group().SetPermission(op.ID(), Unop); err != nil {
				op.tb.Error(err)
			}
		},
	}
	for name, end := range ways {
		t.Run("autolock when the operator "+name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, map[string]string{"room": `{"autolock":true,` + ops[1:]})
			op := h.join("room", "op")
			second := h.join("room", "op2")
			if !op.Group().Status().Locked {
				t.Error("the new group is not locked")
			}
			op.Group().SetLocked(false, "")
			presenter := h.join("room", "presenter")
			second.Leave()
			if op.Group().Status().Locked {
				t.Error("locked while there is an operator")
			}
			presenter.take()
			end(op)
			if got := one[GroupChanged](presenter); !got.Status.Locked {
				t.Errorf("member was told %+v, want a lock", got)
			}
			if _, refusal := h.try("room", "3", "listener", "secret"); refusal == nil || refusal.Text != textLocked {
				t.Errorf("joining afterwards: %v, want %q", refusal, textLocked)
			}
			h.join("room", "op2")
			if !presenter.Group().Status().Locked {
				t.Error("an operator's joining has unlocked the group")
			}
		})
		t.Run("autokick when the operator "+name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, map[string]string{"room": `{"autokick":true,` + ops[1:]})
			op := h.join("room", "op")
			presenter := h.join("room", "presenter")
			if _, err := op.Group().JoinSystem("RECORDING", Newcomer{ID: "r", Mailbox: presenter.box}); err != nil {
				t.Fatal(err)
			}
			presenter.take()
			end(op)
			kicks := pick[Kicked](presenter.take())
			want := Kicked{Message: textNoOperators, Reason: "kicked out (" + textNoOperators + ")"}
			if len(kicks) != 2 || kicks[0] != want || kicks[1] != want {
				t.Errorf("presenter and recorder got %+v, want %+v each", kicks, want)
			}
			if _, refusal := h.try("room", "3", "listener", "secret"); refusal == nil || refusal.Text != textNoOperators {
				t.Errorf("joining afterwards: %v, want %q", refusal, textNoOperators)
			}
		})
	}
}

func TestLockTellsMembersTheStateAndOthersTheMessage(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": ops})
	op := h.join("room", "op")
	op.take()
	steps := []struct {
		locked        bool
		message, want string
	}{
		{true, "", textLocked},
		{true, "back at noon", "back at noon"},
		{true, "back at one", "back at one"},
		{false, "ignored", ""},
		{true, "", textLocked},
	}
	for _, step := range steps {
		op.Group().SetLocked(step.locked, step.message)
		if got := one[GroupChanged](op); got.Status.Locked != step.locked {
			t.Errorf("SetLocked(%v): status %+v", step.locked, got.Status)
		}
		p, refusal := h.try("room", "2", "presenter", "secret")
		if step.want == "" {
			if refusal != nil {
				t.Errorf("unlocked: %v", refusal)
			}
			p.Leave()
			op.take()
		} else if refusal == nil || refusal.Text != step.want {
			t.Errorf("locked with %q: %v, want %q", step.message, refusal, step.want)
		}
	}
	op.Leave()
	if _, refusal := h.try("room", "2", "presenter", "secret"); refusal == nil {
		t.Error("the lock did not outlive the members")
	}
}

func TestShutdownLocksKicksAndKeepsEverybodyOut(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": ops, "next": ops})
	op, other := h.join("room", "op"), h.join("next", "op")
	op.take()
	other.take()
	h.Shutdown("server is shutting down")
	for _, p := range []*peer{op, other} {
		bodies := p.take()
		if got := pick[GroupChanged](bodies); len(got) != 1 || !got[0].Status.Locked {
			t.Errorf("group changes = %+v, want a lock", got)
		}
		want := Kicked{Message: "server is shutting down", Reason: "kicked out (server is shutting down)"}
		if got := pick[Kicked](bodies); len(got) != 1 || got[0] != want {
			t.Errorf("kicks = %+v, want %+v", got, want)
		}
	}
	if _, refusal := h.try("room", "2", "op2", "secret"); refusal == nil || refusal.Text != "server is shutting down" {
		t.Errorf("joining afterwards: %v, want the message", refusal)
	}
	if _, err := op.Group().JoinSystem("RECORDING", Newcomer{ID: "r"}); err == nil {
		t.Error("a system member joined after the end")
	}
}

func TestSubgroupsListsThoseWithMembers(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": `{"auto-subgroups":true,` + ops[1:], "roommate": ops})
	op := h.join("room", "op")
	h.join("roommate", "op")
	h.join("room/b", "op")
	h.join("room/b", "op2")
	h.join("room/a/deep", "op")
	h.join("room/c", "op").Leave()
	want := []SubgroupCount{{"room/a/deep", 1}, {"room/b", 2}}
	if got := op.Group().Subgroups(); !slices.Equal(got, want) {
		t.Errorf("Subgroups() = %v, want %v", got, want)
	}
}
