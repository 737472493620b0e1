package group

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"galene/config"
)

// run starts the registry's Run within a bubble of synctest; the function it
// returns stops it.
func (h *house) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.Run(ctx)
	}()
	synctest.Wait()
	return func() {
		cancel()
		<-done
	}
}

func TestStatusTellsThePublicOnlyWhatItMaySee(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{
		"public": `{"public":true,"autolock":true,"displayName":"P","description":"D","contact":"c","comment":"c",
			"authServer":"https://a.example/","authPortal":"https://b.example/",` + ops[1:],
		"private":       `{"displayName":"P","autolock":true,"auto-subgroups":true,"description":"D",` + ops[1:],
		"redirect":      `{"public":true,"redirect":"https://r.example/","displayName":"R","description":"D","authServer":"x"}`,
		"public/nested": `{"public":true,"auto-subgroups":true,` + ops[1:],
	})
	h.join("private", "op")
	h.join("public", "op")
	tests := []struct{ name, want string }{
		{"public", `{"name":"public","displayName":"P","description":"D","authServer":"https://a.example/",` +
			`"authPortal":"https://b.example/","locked":true,"clientCount":1}`},
		{"private", `{"name":"private","displayName":"P","description":"D"}`},
		{"private/sub", `{"name":"private/sub","displayName":"P"}`},
		{"redirect", `{"name":"redirect","redirect":"https://r.example/","displayName":"R","description":"D"}`},
		{"public/nested", `{"name":"public/nested","clientCount":0}`},
		{"public/nested/sub", `{"name":"public/nested/sub"}`},
	}
	for _, tt := range tests {
		status, err := h.Status(tt.name)
		if err != nil {
			t.Errorf("Status(%s): %v", tt.name, err)
			continue
		}
		if got, err := json.Marshal(status); string(got) != tt.want || err != nil {
			t.Errorf("Status(%s) = %s, %v, want %s", tt.name, got, err, tt.want)
		}
	}
	var names []string
	for _, s := range h.PublicStatuses() {
		names = append(names, s.Name)
	}
	if got, want := strings.Join(names, " "), "public public/nested redirect"; got != want {
		t.Errorf("public groups = %q, want %q", got, want)
	}
	if got := len(h.all()); got != 4 {
		t.Errorf("%d groups in memory, want the public ones and the joined one", got)
	}
	for name, want := range map[string]error{"none": ErrNotFound, "public/sub": ErrNotFound, "a//b": ErrInvalidName} {
		if _, err := h.Status(name); !errors.Is(err, want) {
			t.Errorf("Status(%s) = %v, want %v", name, err, want)
		}
	}
}

func TestMembersSeeWhetherPasswordsCanBeChanged(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": ops})
	var settings atomic.Pointer[config.Settings]
	settings.Store(&config.Settings{})
	h.Registry = NewRegistry(Options{Directory: h.dir, Settings: settings.Load})
	if h.join("room", "op").Group().Status().CanChangePassword {
		t.Error("canChangePassword without writableGroups")
	}
	settings.Store(&config.Settings{WritableGroups: true})
	if !one[Joined](h.join("room", "presenter")).Status.CanChangePassword {
		t.Error("no canChangePassword with writableGroups")
	}
	if s, err := h.Status("room"); s.CanChangePassword || err != nil {
		t.Errorf("Status() = %+v, %v, want no canChangePassword for the public", s, err)
	}
}

func TestNoPublicGroupsIsAnEmptyList(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	if got := h.PublicStatuses(); got == nil || len(got) != 0 {
		t.Errorf("PublicStatuses() = %v, want an empty list", got)
	}
	r := NewRegistry(Options{Directory: filepath.Join(h.dir, "none")})
	if _, err := r.Status("room"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Status without a directory = %v, want ErrNotFound", err)
	}
}

func TestPublicGroupsAreFoundAtTheStartAndLater(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{
		"a": `{"public":true}`, "dir/b": `{"public":true}`, "c": `{}`, "broken": `{"public":`,
		".hidden": `{"public":true}`, ".dir/d": `{"public":true}`,
	})
	if err := os.WriteFile(filepath.Join(h.dir, "notes.txt"), []byte(`{"public":true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	names := func() string {
		var names []string
		for _, s := range h.PublicStatuses() {
			names = append(names, s.Name)
		}
		return strings.Join(names, " ")
	}
	synctest.Test(t, func(t *testing.T) {
		defer h.run()()
		if got, want := names(), "a dir/b"; got != want {
			t.Errorf("public groups at the start = %q, want %q", got, want)
		}
		h.define("later", `{"public":true}`)
		time.Sleep(scanInterval)
		synctest.Wait()
		if got, want := names(), "a dir/b later"; got != want {
			t.Errorf("public groups after the next scan = %q, want %q", got, want)
		}
		h.undefine("a")
		h.define("later", `{"public":false}`)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got, want := names(), "dir/b"; got != want {
			t.Errorf("public groups after changes = %q, want %q", got, want)
		}
	})
}

func TestGroupsFollowTheirFiles(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": ops, "parent": `{"auto-subgroups":true,` + ops[1:]})
	op, sub := h.join("room", "op"), h.join("parent/sub", "op")
	g := op.Group()
	if err := op.Publish(Stream{ID: "s"}); err != nil {
		t.Fatal(err)
	}
	tick := func() {
		time.Sleep(2 * time.Second)
		synctest.Wait()
	}
	refused := func(name, want string) {
		t.Helper()
		if _, refusal := h.try(name, "2", "presenter", "secret"); refusal == nil || refusal.Text != want {
			t.Errorf("joining %s: %v, want %q", name, refusal, want)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		defer h.run()()
		op.take()
		tick()
		if bodies := op.take(); len(bodies) != 0 {
			t.Errorf("events without a change: %+v", bodies)
		}

		h.define("room", `{"displayName":"new","codecs":["vp9"],"users":{"op":{"password":"other"}}}`)
		tick()
		if got := one[GroupChanged](op); got.Status.DisplayName != "new" {
			t.Errorf("members were told %+v, want the new name", got.Status)
		}
		if got := g.Description().CodecNames(); len(got) != 1 || got[0] != "vp9" {
			t.Errorf("codecs = %v, want [vp9]", got)
		}
		if !op.Permissions().Has(PermissionOp) || len(g.Streams(nil)) != 1 {
			t.Error("a member lost permissions or streams by the change")
		}
		refused("room", textNotAuthorised)

		h.define("room", `{"autolock":true,"autokick":true,`+ops[1:])
		tick()
		if g.Status().Locked || len(pick[Kicked](op.take())) != 0 {
			t.Error("automatic rules apply although there is an operator")
		}

		h.define("room", `{"bogus":1}`)
		tick()
		if p, refusal := h.try("room", "1", "presenter", "secret"); refusal != nil || p.Group() != g {
			t.Errorf("joining when the file has broken: %v, want the last good one in force", refusal)
		} else {
			p.Leave()
			op.take()
		}
		h.undefine("room")
		tick()
		refused("room", textNotFound)
		if bodies := op.take(); len(bodies) != 0 || h.find("room") != g {
			t.Errorf("members of a group without definition were told %+v, want to be left alone", bodies)
		}
		g.Broadcast(NewEvent(g, "still here"), "")
		if got := one[string](op); got != "still here" {
			t.Errorf("message = %q", got)
		}

		h.define("room", ops)
		tick()
		if p, refusal := h.try("room", "2", "presenter", "secret"); refusal != nil || p.Group() != g {
			t.Errorf("joining when the definition is back: %v", refusal)
		}

		sub.take()
		h.define("parent", ops)
		tick()
		refused("parent/sub", textNotFound)
		h.define("parent/sub", `{"displayName":"own",`+ops[1:])
		tick()
		if got := one[GroupChanged](sub); got.Status.DisplayName != "own" {
			t.Errorf("members of the subgroup were told %+v, want its own definition", got.Status)
		}
	})
}

func TestChangesOfTheFileCountAtOnceForWhoeverAsks(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": `{"displayName":"aaaa",` + ops[1:]})
	op := h.join("room", "op")
	op.take()
	for i := range 5 { // of one size, in quick succession
		want := fmt.Sprintf("aaa%d", i)
		h.define("room", `{"displayName":"`+want+`",`+ops[1:])
		if s, err := h.Status("room"); s.DisplayName != want || err != nil {
			t.Errorf("Status() = %+v, %v, want %s", s, err, want)
		}
		if got := one[GroupChanged](op); got.Status.DisplayName != want {
			t.Errorf("members were told %+v, want %s", got.Status, want)
		}
	}
}

func TestEmptyGroupsAreForgottenWhenTheirHistoryIsOld(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{
		"room":   `{"max-history-age":600,"autolock":true,` + ops[1:],
		"public": `{"max-history-age":600,"public":true,` + ops[1:],
		"gone":   ops,
	})
	synctest.Test(t, func(t *testing.T) {
		defer h.run()()
		for _, name := range []string{"room", "public", "gone"} {
			op := h.join(name, "op")
			op.Group().SetLocked(true, "closed by "+name)
			op.Leave()
		}
		h.undefine("gone")
		time.Sleep(9 * time.Minute)
		synctest.Wait()
		if h.find("gone") != nil {
			t.Error("an empty group without definition is still in memory")
		}
		if _, refusal := h.try("room", "2", "presenter", "secret"); refusal == nil || refusal.Text != "closed by room" {
			t.Errorf("joining before it is forgotten: %v, want its message", refusal)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if h.find("room") != nil || h.find("public") == nil {
			t.Errorf("in memory: room %v, public %v, want the public one only",
				h.find("room") != nil, h.find("public") != nil)
		}
		if _, refusal := h.try("room", "2", "presenter", "secret"); refusal == nil || refusal.Text != textLocked {
			t.Errorf("joining a forgotten group: %v, want %q as in a new one", refusal, textLocked)
		}

		member := h.join("room", "op")
		time.Sleep(time.Hour)
		synctest.Wait()
		if h.find("room") != member.Group() {
			t.Error("a group with members was forgotten")
		}
	})
}

func TestHistoryIsDroppedWithAge(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": `{"max-history-age":600,` + ops[1:]})
	synctest.Test(t, func(t *testing.T) {
		op := h.join("room", "op")
		g := op.Group()
		g.Chat(ChatEntry{ID: "a", Time: time.Now()}, NewEvent(g, 1), "")
		time.Sleep(9 * time.Minute)
		g.Chat(ChatEntry{ID: "b", Time: time.Now()}, NewEvent(g, 1), "")
		time.Sleep(2 * time.Minute)
		if got := one[Joined](h.join("room", "presenter")).History; len(got) != 1 || got[0].ID != "b" {
			t.Errorf("history = %+v, want the later message", got)
		}
	})
}

func TestFaultyFilesAreLoggedOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": ops})
	var log strings.Builder
	h.Registry = NewRegistry(Options{Directory: h.dir, Log: slog.New(slog.NewTextHandler(&log, nil))})
	h.join("room", "op")
	h.define("room", "{\n\n\"bogus\": 1}")
	for range 3 {
		h.poll(t.Context())
	}
	if got := strings.Count(log.String(), `room.json:3: unknown field`); got != 1 {
		t.Errorf("logged %d times, want once:\n%s", got, &log)
	}
}

func TestGroupsAreSortedByName(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"b": ops, "a/b": ops, "a": ops, "unused": ops})
	for _, name := range []string{"b", "a/b", "a"} {
		h.join(name, "op")
	}
	var names []string
	for _, g := range h.Groups() {
		names = append(names, g.Name())
	}
	if got, want := strings.Join(names, " "), "a a/b b"; got != want {
		t.Errorf("groups in memory are %q, want %q", got, want)
	}
}
