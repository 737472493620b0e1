package group

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestJoinIsRefusedInOrder(t *testing.T) {
	t.Parallel()
	const users = `"users":{"op":{"password":"secret","permissions":"op"},
		"presenter":{"password":"secret","permissions":"present"},
		"broken":{"password":{"type":"rot13"},"permissions":"op"},
		"nobody":{"permissions":"op"},
		"null":{"password":null,"permissions":"op"}}`
	h := newHouse(t, map[string]string{
		"room":      `{` + users + `}`,
		"early":     `{"not-before":"2100-01-01T00:00:00Z",` + users + `}`,
		"late":      `{"expires":"2000-01-01T00:00:00Z",` + users + `}`,
		"kicking":   `{"autokick":true,` + users + `}`,
		"locking":   `{"autolock":true,` + users + `}`,
		"elsewhere": `{"redirect":"https://a.example/","not-before":"2100-01-01T00:00:00Z",` + users + `}`,
		"unknown":   `{"bogus":1}`,
		"badset":    `{"users":{"op":{"permissions":"king"}}}`,
		"named":     `{"allow-anonymous":false,"wildcard-user":{"password":{"type":"wildcard"}}}`,
		"open":      `{"wildcard-user":{"password":{"type":"wildcard"}}}`,
		"wild":      `{"users":{"a":{"password":"x"}},"wildcard-user":{"password":{"type":"rot13"}}}`,
	})
	const long = 256
	tests := []struct {
		name, group, id, username, password string
		want                                string // text; empty for success
		delay                               bool
	}{
		{"illegal name", "../room", "1", "op", "secret", "illegal group name", false},
		{"empty name", "", "1", "op", "secret", "illegal group name", false},
		{"no such group", "none", "1", "op", "secret", "group does not exist", false},
		{"name longer than files'", strings.Repeat("x", 255), "1", "op", "secret", "group does not exist", false},
		{"below a file", "room.json/x", "1", "op", "secret", "group does not exist", false},
		{"unknown field", "unknown", "1", "op", "secret", "internal server error", false},
		{"unknown set", "badset", "1", "op", "secret", "internal server error", false},
		{"wrong password", "room", "1", "op", "Secret", "not authorised", true},
		{"unknown user", "room", "1", "eve", "secret", "not authorised", true},
		{"user without password", "room", "1", "nobody", "", "not authorised", true},
		{"null password", "room", "1", "null", "", "not authorised", true},
		{"unusable password", "room", "1", "broken", "", "internal server error", false},
		{"unusable wildcard", "wild", "1", "b", "", "not authorised", true},
		{"invalid username", "open", "1", "a/../b", "", "not authorised", true},
		{"username with newline", "open", "1", "a\nb", "", "not authorised", true},
		{"anonymous where names are needed", "named", "1", "", "", "not authorised", true},
		{"anonymous elsewhere", "open", "1", "", "", "", false},
		{"locked", "locking", "1", "presenter", "secret", "this group is locked", false},
		{"locked, operator", "locking", "1", "op", "secret", "", false},
		{"locked after wrong password", "locking", "1", "presenter", "x", "not authorised", true},
		{"early", "early", "1", "presenter", "secret", "this group is not open yet", false},
		{"early, operator", "early", "1", "op", "secret", "", false},
		{"late", "late", "1", "presenter", "secret", "this group is closed", false},
		{"late, operator", "late", "1", "op", "secret", "", false},
		{"no operator", "kicking", "1", "presenter", "secret", "there are no operators in this group", false},
		{"empty id after the dates", "early", "", "presenter", "secret", "this group is not open yet", false},
		{"empty id", "room", "", "op", "secret", "empty client id", false},
		{"long id", "room", strings.Repeat("x", long), "op", "secret", "client id is too long", false},
		{"wrong password before redirection", "elsewhere", "1", "op", "x", "not authorised", true},
	}
	for _, tt := range tests {
		_, refusal := h.try(tt.group, tt.id, tt.username, tt.password)
		if (refusal == nil) != (tt.want == "") || refusal != nil && (refusal.Text != tt.want || refusal.Delay != tt.delay) {
			t.Errorf("%s: Join = %+v, want %q, delay %v", tt.name, refusal, tt.want, tt.delay)
		}
	}
}

func TestJoinRefusesMoreThanMaxClientsButOperators(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": `{"max-clients":1,` + ops[1:]})
	h.join("room", "presenter")
	if _, refusal := h.try("room", "2", "listener", "secret"); refusal == nil || refusal.Text != "too many users" {
		t.Errorf("second member: %v, want too many users", refusal)
	}
	h.join("room", "op")
}

func TestJoinNeedsCredentials(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": ops})
	username := "op"
	if _, refusal := h.tryAs("room", Credentials{Password: "secret"}, Newcomer{ID: "1"}); refusal == nil ||
		refusal.Text != textNoCredentials || refusal.Delay {
		t.Errorf("neither username nor token: %+v, want %q at once", refusal, textNoCredentials)
	}
	c := Credentials{Username: &username, Password: "secret", Token: "x"}
	if _, refusal := h.tryAs("room", c, Newcomer{ID: "1"}); refusal == nil ||
		refusal.Text != "not authorised" || !refusal.Delay {
		t.Errorf("unknown token: %+v, want not authorised, delayed", refusal)
	}
}

func TestSystemMembersDoNotJoinFromOutside(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": ops})
	username := "op"
	c := Credentials{Username: &username, Password: "secret"}
	if _, refusal := h.tryAs("room", c, Newcomer{ID: "1", Kind: SystemMember}); refusal == nil {
		t.Error("a system member joined by credentials, want a refusal")
	}
}

func TestUsernameIsToldOnlyToTheAuthorised(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": `{"autolock":true,` + ops[1:]})
	if _, refusal := h.try("room", "1", "presenter", "wrong"); refusal.Username != "" {
		t.Errorf("username after a wrong password = %q, want none", refusal.Username)
	}
	if _, refusal := h.try("room", "1", "presenter", "secret"); refusal.Username != "presenter" {
		t.Errorf("username when locked out = %q, want presenter", refusal.Username)
	}
}

func TestEmptyAndDuplicateIdsAreToldApart(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": ops})
	first := h.join("room", "op")
	first.take()
	_, empty := h.try("room", "", "op", "secret")
	_, duplicate := h.try("room", "op", "op2", "secret")
	if empty == nil || duplicate == nil || empty.Text == duplicate.Text {
		t.Fatalf("empty id: %v, duplicate id: %v, want two texts", empty, duplicate)
	}
	if bodies := first.take(); len(bodies) != 0 {
		t.Errorf("the member was told %+v of failed joins, want nothing", bodies)
	}
	first.Leave()
	h.try("room", "op", "op2", "secret")
	if got := h.find("room").Members(); len(got) != 1 || got[0].Username != "op2" {
		t.Errorf("members = %+v, want op2 with the id that became free", got)
	}
}

func TestFailedJoinLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{
		"room": `{"autolock":true,"auto-subgroups":true,` + ops[1:],
	})
	for _, name := range []string{"room", "room/sub", "room/sub/sub"} {
		p, refusal := h.try(name, "1", "presenter", "secret")
		if refusal == nil {
			t.Fatalf("Join(%s) = nil, want a refusal", name)
		}
		if bodies := p.take(); len(bodies) != 0 {
			t.Errorf("who could not join %s got %+v, want nothing", name, bodies)
		}
		if _, err := h.Status(name); err != nil {
			t.Errorf("Status(%s) = %v, want nil", name, err)
		}
		if _, err := h.Description(name); err != nil {
			t.Errorf("Description(%s) = %v, want nil", name, err)
		}
	}
	if got := h.all(); len(got) != 0 {
		t.Errorf("%d groups in memory, want none", len(got))
	}
}

func TestRedirectNeverInserts(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": `{"redirect":"https://a.example/","autolock":true,` + ops[1:]})
	p, refusal := h.try("room", "1", "presenter", "secret")
	if refusal == nil || refusal.Redirect != "https://a.example/" || refusal.Username != "presenter" || refusal.Delay {
		t.Errorf("Join = %+v, want a redirection of presenter", refusal)
	}
	if bodies := p.take(); len(bodies) != 0 || len(h.all()) != 0 {
		t.Errorf("%d events and %d groups after a redirection, want none", len(bodies), len(h.all()))
	}
}

func TestJoinedTellsTheGroupAsItIs(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": `{"displayName":"The Room",` + ops[1:]})
	op := h.join("room", "op")
	g := op.Group()
	if err := op.Publish(Stream{ID: "s", Label: "camera"}); err != nil {
		t.Fatal(err)
	}
	if err := g.UpdateData(Data{"k": json.RawMessage(`1`)}); err != nil {
		t.Fatal(err)
	}
	g.Chat(ChatEntry{ID: "c", Source: "op", Time: anHourAgo(), Privileged: true}, NewEvent(g, "c"), "")
	op.take()

	username := "presenter"
	p, refusal := h.tryAs("room", Credentials{Username: &username, Password: "secret"},
		Newcomer{ID: "2", Address: "192.0.2.1:5", Data: Data{"raised": json.RawMessage(`null`)}})
	if refusal != nil {
		t.Fatal(refusal)
	}
	bodies := p.take()
	if len(bodies) != 1 {
		t.Fatalf("events = %+v, want Joined only", bodies)
	}
	j, ok := bodies[0].(Joined)
	if !ok || j.Member != p.Member || j.Username != "presenter" ||
		!slices.Equal(j.Permissions.List(), []string{"present", "message"}) ||
		j.Status.DisplayName != "The Room" || *j.Status.ClientCount != 2 || string(j.Data["k"]) != "1" {
		t.Errorf("Joined = %+v", j)
	}
	if len(j.History) != 1 || !j.History[0].Privileged || j.History[0].ID != "c" {
		t.Errorf("history = %+v, want the privileged message", j.History)
	}
	if len(j.Members) != 2 || j.Members[0].ID != "2" || j.Members[1].ID != "op" ||
		string(j.Members[0].Data["raised"]) != "null" || j.Members[0].Address != "192.0.2.1:5" {
		t.Errorf("members = %+v, want the new one with its data, then op", j.Members)
	}
	if len(j.Streams) != 1 || j.Streams[0].Publisher != "op" || j.Streams[0].Label != "camera" {
		t.Errorf("streams = %+v, want op's", j.Streams)
	}
	if got := one[MemberJoined](op); got.ID != "2" || got.Username != "presenter" {
		t.Errorf("op was told %+v, want presenter's joining", got)
	}
}

func TestSystemMemberPassesLockAndLimits(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": `{"autolock":true,"max-clients":1,` + ops[1:]})
	op := h.join("room", "op")
	op.take()
	m, err := op.Group().JoinSystem("RECORDING", Newcomer{ID: "r"})
	if err != nil {
		t.Fatal(err)
	}
	info := one[MemberJoined](op)
	if info.Kind != SystemMember || !slices.Equal(info.Permissions.List(), []string{"system"}) {
		t.Errorf("system member = %+v, want the permission to show", info)
	}
	if err := m.Publish(Stream{ID: "x"}); !errors.Is(err, ErrNotPermitted) {
		t.Errorf("Publish by a system member = %v, want ErrNotPermitted", err)
	}
	if err := op.Group().SetPermission("r", Op); !errors.Is(err, ErrNotRealUser) {
		t.Errorf("SetPermission of a system member = %v, want ErrNotRealUser", err)
	}
	if err := op.Group().Send("r", NewEvent(op.Group(), 1)); !errors.Is(err, ErrNotChatting) {
		t.Errorf("Send to a system member = %v, want ErrNotChatting", err)
	}
	if _, err := op.Group().JoinSystem("RECORDING", Newcomer{ID: "r"}); err == nil {
		t.Error("two system members with one id, want an error")
	}
}

func TestSubgroupsInMemoryAreBounded(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": `{"auto-subgroups":true,` + ops[1:]})
	d, err := h.Description("room/x")
	if err != nil {
		t.Fatal(err)
	}
	who := identity{permissions: NewPermissions("op")}
	for i := range maxSubgroups {
		m, refusal := h.add(fmt.Sprintf("room/%d", i), d, who, Newcomer{ID: "1"})
		if refusal != nil {
			t.Fatalf("subgroup %d: %v", i, refusal)
		}
		if i == 7 {
			m.Leave()
		}
	}
	if _, refusal := h.add("room/x", d, who, Newcomer{ID: "1"}); refusal != nil {
		t.Errorf("one more when one is empty: %v, want it to take that one's place", refusal)
	}
	if _, refusal := h.add("room/y", d, who, Newcomer{ID: "1"}); refusal == nil {
		t.Error("one more when none is empty: want a refusal")
	}
	if got := len(h.all()); got != maxSubgroups || h.find("room/7") != nil {
		t.Errorf("%d groups in memory, want %d", got, maxSubgroups)
	}
}
