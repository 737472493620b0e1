package group

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"galene/config"
)

// newStrictHouse is a house in which changes of definitions apply to members.
func newStrictHouse(tb testing.TB, definitions map[string]string) *house {
	tb.Helper()
	h := newHouse(tb, definitions)
	h.Registry = NewRegistry(Options{
		Directory: h.dir, PollOnly: true,
		Settings: func() *config.Settings { return &config.Settings{RecheckMembers: true, WritableGroups: true} },
	})
	return h
}

func TestMembersFollowTheirDescriptions(t *testing.T) {
	t.Parallel()
	const before = `{"users":{"ann":{"password":"a","permissions":"op"},"bob":{"password":"b","permissions":"present"},
		"":{"password":"n","permissions":"message"}},
		"fallback-users":[{"password":"f","permissions":"present"}],
		"wildcard-user":{"password":"w","permissions":"message"}}`
	tests := []struct {
		name, member, after string
		want                string // permissions; empty: it has to leave
	}{
		{"nothing", "ann a", before, "op present message caption token"},
		{"another password", "ann a", `{"users":{"ann":{"password":"z","permissions":"op"}}}`, "op present message caption token"},
		{"no password any more", "ann a", `{"users":{"ann":{"permissions":"op"}}}`, ""},
		{"demoted", "ann a", `{"users":{"ann":{"password":"a","permissions":"message"}}}`, "message"},
		{"promoted", "bob b", `{"users":{"bob":{"password":"b","permissions":"op"}}}`, "op present message caption token"},
		{"removed", "bob b", `{"users":{"ann":{"password":"a","permissions":"op"}}}`, ""},
		{"removed, though anybody may come", "bob b", `{"wildcard-user":{"password":{"type":"wildcard"}}}`, ""},
		{"operators may record", "ann a", `{"allow-recording":true,` + before[1:], "record op present message caption token"},
		{"a fallback user is as before", "eve f", `{"fallback-users":[{"password":"f","permissions":"present"}]}`, "present message"},
		{"a fallback user has moved", "eve f", `{"fallback-users":[{"password":"x"}],"wildcard-user":{"password":"f","permissions":"op"}}`, "op present message caption token"},
		{"a fallback user is gone", "eve f", `{"wildcard-user":{"password":"w","permissions":"message"}}`, ""},
		{"the wildcard user is demoted", "eve w", `{"wildcard-user":{"password":"w"}}`, "-"},
		{"the wildcard user has another password", "eve w", `{"wildcard-user":{"password":"x","permissions":"message"}}`, ""},
		{"the name is somebody's now", "eve w", strings.Replace(before, `"bob"`, `"eve"`, 1), ""},
		{"nameless ones are not wanted", " n", `{"allow-anonymous":false,` + before[1:], ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newStrictHouse(t, map[string]string{"room": before})
			username, secret, _ := strings.Cut(tt.member, " ")
			m, refusal := h.try("room", "1", username, secret)
			if refusal != nil {
				t.Fatal(refusal)
			}
			m.take()
			h.define("room", tt.after)
			h.poll(t.Context())
			bodies := m.take()
			if kicked := len(pick[Kicked](bodies)) > 0; kicked != (tt.want == "") {
				t.Fatalf("told to leave: %v, events %+v", kicked, bodies)
			}
			if tt.want == "" {
				return
			}
			want := strings.Fields(strings.Trim(tt.want, "-"))
			if got := m.Permissions().List(); !slices.Equal(got, want) {
				t.Errorf("permissions are %q, want %q", got, want)
			}
		})
	}
}

func TestMembersAreToldTheirNewPermissions(t *testing.T) {
	t.Parallel()
	h := newStrictHouse(t, map[string]string{"room": `{"autolock":true,` + ops[1:]})
	op := h.join("room", "op")
	op.Group().SetLocked(false, "")
	other := h.join("room", "presenter")
	if err := op.Publish(Stream{ID: "s"}); err != nil {
		t.Fatal(err)
	}
	op.take()
	other.take()
	grants, err := config.NamedSet("message")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.WriteUser("room", UserKey{Name: "op"}, config.User{Permissions: &grants}, AnyTag); err != nil {
		t.Fatal(err)
	}
	if got := one[PermissionsChanged](op).Permissions.List(); !slices.Equal(got, []string{"message"}) {
		t.Errorf("told permissions %q, want those at once", got)
	}
	bodies := other.take()
	if changed := pick[MemberChanged](bodies); len(changed) != 1 || changed[0].ID != "op" {
		t.Errorf("others were told %+v, want the new permissions", bodies)
	}
	if len(pick[StreamWithdrawn](bodies)) != 1 {
		t.Errorf("others were told %+v, want the stream withdrawn", bodies)
	}
	if !op.Group().Status().Locked {
		t.Error("the group is not locked though the last operator is none any more")
	}
}

func TestModerationSurvivesChangesThatDoNotConcernTheMember(t *testing.T) {
	t.Parallel()
	h := newStrictHouse(t, map[string]string{"room": ops})
	m := h.join("room", "listener")
	if err := m.Group().SetPermission("listener", Present); err != nil {
		t.Fatal(err)
	}
	h.define("room", `{"displayName":"new",`+ops[1:])
	h.poll(t.Context())
	if got := m.Permissions().List(); !slices.Equal(got, []string{"message", "present"}) {
		t.Errorf("permissions are %q, want those that an operator gave", got)
	}
}

func TestMembersLeaveGroupsThatAreClosedToThem(t *testing.T) {
	t.Parallel()
	h := newStrictHouse(t, map[string]string{"room": ops, "gone": ops, "early": ops, "replaced": ops})
	member := func(group, username string) *peer {
		p := h.join(group, username)
		p.take()
		return p
	}
	told := func(p *peer) string {
		if kicked := pick[Kicked](p.take()); len(kicked) > 0 {
			return kicked[0].Message
		}
		return ""
	}
	synctest.Test(t, func(t *testing.T) {
		defer h.run()()
		op, presenter := member("room", "op"), member("room", "presenter")
		early, gone, goneOp := member("early", "presenter"), member("gone", "presenter"), member("gone", "op")
		replaced := member("replaced", "op")
		date := func(after time.Duration) string { return time.Now().Add(after).Format(time.RFC3339) }
		h.define("room", `{"expires":"`+date(time.Minute)+`",`+ops[1:])
		h.define("early", `{"not-before":"`+date(time.Hour)+`",`+ops[1:])
		h.undefine("gone")
		h.undefine("replaced")
		time.Sleep(500 * time.Millisecond)
		h.define("replaced", ops)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		for _, tt := range []struct {
			name      string
			got, want string
		}{
			{"in time", told(presenter), ""},
			{"too early", told(early), textNotOpenYet},
			{"gone", told(gone), textGone},
			{"gone, an operator", told(goneOp), textGone},
			{"replaced", told(replaced), ""},
		} {
			if tt.got != tt.want {
				t.Errorf("%s: told %q, want %q", tt.name, tt.got, tt.want)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := told(presenter); got != textClosed {
			t.Errorf("after its time: told %q, want %q", got, textClosed)
		}
		if got := told(op); got != "" {
			t.Errorf("after its time: an operator is told %q", got)
		}
	})
}

// Unless it is asked for, those who are in stay as they are.
func TestMembersStayAsTheyAreByDefault(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": ops, "gone": ops})
	var settings atomic.Pointer[config.Settings]
	settings.Store(&config.Settings{})
	h.Registry = NewRegistry(Options{Directory: h.dir, PollOnly: true, Settings: settings.Load})
	m, gone := h.join("room", "presenter"), h.join("gone", "presenter")
	m.take()
	gone.take()
	synctest.Test(t, func(t *testing.T) {
		defer h.run()()
		h.define("room", `{"expires":"1999-01-01T00:00:00Z"}`)
		h.undefine("gone")
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if bodies := m.take(); len(pick[GroupChanged](bodies)) != 1 || len(bodies) != 1 {
			t.Errorf("a member was told %+v, want the change of the group and no more", bodies)
		}
		if bodies := gone.take(); len(bodies) != 0 {
			t.Errorf("a member of a group that is gone was told %+v", bodies)
		}
		settings.Store(&config.Settings{RecheckMembers: true})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := one[Kicked](m); got.Message != textClosed {
			t.Errorf("told %+v once it is asked for, want %q", got, textClosed)
		}
	})
}
