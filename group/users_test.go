package group

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"galene/config"
	"galene/password"
)

func TestUsersAreAdministeredByThemselves(t *testing.T) {
	t.Parallel()
	h := newWritableHouse(t, map[string]string{"room": full, "sub": `{"auto-subgroups":true,"users":{"b":{},"a":{}}}`})
	users := func(name string) string {
		t.Helper()
		list, etag, err := h.ListUsers(name)
		if err != nil || etag == "" {
			t.Errorf("ListUsers(%s) = %q, %s, %v", name, list, etag, err)
		}
		return strings.Join(list, ",")
	}
	if got := users("room"); got != ",bob" {
		t.Errorf("users = %q, want the nameless one and bob", got)
	}
	if got := users("sub/x"); got != "a,b" {
		t.Errorf("users of a subgroup = %q, want its parent's", got)
	}
	set := func(name string) *config.Grants {
		grants, err := config.NamedSet(name)
		if err != nil {
			t.Fatal(err)
		}
		return &grants
	}
	bob, ann, any := UserKey{Name: "bob"}, UserKey{Name: "ann"}, UserKey{Wildcard: true}
	if created, err := h.WriteUser("room", bob, config.User{Permissions: set("message")}, h.etag("room")); created || err != nil {
		t.Errorf("WriteUser(bob) = %v, %v", created, err)
	}
	if created, err := h.WriteUser("room", ann, config.User{Permissions: set("op")}, ""); !created || err != nil {
		t.Errorf("WriteUser(ann) = %v, %v, want her created", created, err)
	}
	if created, err := h.WriteUser("room", any, config.User{}, AnyTag); created || err != nil {
		t.Errorf("WriteUser of the wildcard user = %v, %v", created, err)
	}
	secret := password.Plain("new")
	if err := h.SetPassword("room", ann, &secret, AnyTag); err != nil {
		t.Errorf("SetPassword(ann) = %v", err)
	}
	if err := h.SetPassword("room", any, nil, AnyTag); err != nil {
		t.Errorf("SetPassword of the wildcard user = %v", err)
	}
	if err := h.DeleteUser("room", UserKey{}, AnyTag); err != nil {
		t.Errorf("DeleteUser of the nameless one = %v", err)
	}
	if err := h.SetKeys("room", nil, AnyTag); err != nil {
		t.Errorf("SetKeys = %v", err)
	}
	want := `{"displayName":"old","fallback-users":[{"password":"f","permissions":"present"}],"public":true,` +
		`"users":{"ann":{"password":"new","permissions":"op"},"bob":{"password":"b","permissions":"message"}},"wildcard-user":{}}`
	if got := h.compact("room"); got != want {
		t.Errorf("file = %s, want %s", got, want)
	}
	if user, _, err := h.ReadUser("room", bob); err != nil || user.Permissions.Set() != "message" || user.Password == nil ||
		user.Sanitised().Password != nil {
		t.Errorf("ReadUser(bob) = %+v, %v", user, err)
	}
	eve := UserKey{Name: "eve"}
	_, _, err := h.ReadUser("room", eve)
	for name, err := range map[string]error{
		"ReadUser": err, "DeleteUser": h.DeleteUser("room", eve, AnyTag), "SetPassword": h.SetPassword("room", eve, nil, AnyTag),
	} {
		if !errors.Is(err, ErrUnknownUser) {
			t.Errorf("%s(eve) = %v, want %v", name, err, ErrUnknownUser)
		}
	}
	if _, err := h.WriteUser("none", eve, config.User{}, AnyTag); !errors.Is(err, ErrNotFound) {
		t.Errorf("WriteUser in no group = %v, want %v", err, ErrNotFound)
	}
	if _, err := h.WriteUser("sub/x", eve, config.User{}, AnyTag); !errors.Is(err, ErrNotFound) {
		t.Errorf("WriteUser in a subgroup without file = %v, want %v", err, ErrNotFound)
	}
}

func TestHashedPasswordsMatch(t *testing.T) {
	t.Parallel()
	h := newWritableHouse(t, map[string]string{"room": ops})
	hashed, err := h.HashPassword(t.Context(), "changed")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.SetPassword("room", UserKey{Name: "op"}, &hashed, AnyTag); err != nil {
		t.Fatal(err)
	}
	if _, refusal := h.try("room", "1", "op", "secret"); refusal == nil {
		t.Error("the old password still matches")
	}
	if _, refusal := h.try("room", "1", "op", "changed"); refusal != nil {
		t.Errorf("joining with the new password: %v", refusal)
	}
	if strings.Contains(h.file("room"), "changed") {
		t.Error("the password is in the file")
	}
}

func TestKeysAreSetOnlyIfTheyAreGood(t *testing.T) {
	t.Parallel()
	h := newWritableHouse(t, map[string]string{"room": `{"displayName":"d"}`})
	good := json.RawMessage(goodKey)
	if err := h.SetKeys("room", []json.RawMessage{good}, AnyTag); err != nil {
		t.Fatal(err)
	}
	want := `{"authKeys":[` + goodKey + `],"displayName":"d"}`
	if got := h.compact("room"); got != want {
		t.Errorf("the file is %s, want %s", got, want)
	}
	for _, bad := range []string{`{"kty":"oct","alg":"HS256","k":""}`, `{"kty":"oct"}`, `[]`} {
		err := h.SetKeys("room", []json.RawMessage{good, json.RawMessage(bad)}, AnyTag)
		if refusal, ok := errors.AsType[*DefinitionError](err); !ok || !errors.Is(err, ErrInvalidDefinition) ||
			refusal.Field != "authKeys.1" || strings.Contains(err.Error(), "MDEy") {
			t.Errorf("SetKeys with %s = %v, want it refused by index and without any key's value", bad, err)
		}
	}
	if got := h.compact("room"); got != want {
		t.Errorf("the file is %s, want it untouched", got)
	}
}

// A key that cannot be used is not lost when something else is changed.
func TestBadKeysAreReportedAndKept(t *testing.T) {
	t.Parallel()
	h := newWritableHouse(t, map[string]string{"room": `{"authKeys":[` + goodKey + `,{"kty":"oct"}]}`})
	var log strings.Builder
	h.library.log = slog.New(slog.NewTextHandler(&log, nil))
	for range 3 {
		if _, err := h.Description("room"); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Count(log.String(), "authKeys[1]"); got != 1 || !strings.Contains(log.String(), "room.json") ||
		strings.Contains(log.String(), "authKeys[0]") {
		t.Errorf("log has %d lines about the bad key, want one, with the file:\n%s", got, &log)
	}
	if _, err := h.WriteUser("room", UserKey{Name: "bob"}, config.User{}, ""); err != nil {
		t.Fatal(err)
	}
	if got, want := h.compact("room"), `{"authKeys":[`+goodKey+`,{"kty":"oct"}],"users":{"bob":{}}}`; got != want {
		t.Errorf("the file is %s, want %s", got, want)
	}
}
