package group

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"galene/config"
	"galene/password"
)

func TestSanitisedHoldsNoSecrets(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": full})
	d, _, err := h.ReadDefinition("room")
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(d.Sanitised())
	want := `{"displayName":"old","public":true,"fallback-users":[{"permissions":"present"}]}`
	if string(data) != want || err != nil {
		t.Errorf("Sanitised() = %s, %v, want %s", data, err, want)
	}
	if len(d.Users) != 2 || d.FallbackUsers[0].Password == nil {
		t.Error("Sanitised() has changed what it was made from")
	}
	back, err := ParseDescription(data)
	if err != nil {
		t.Fatalf("ParseDescription of it: %v", err)
	}
	if again, err := json.Marshal(back); string(again) != want || err != nil {
		t.Errorf("ParseDescription of it reads %s, %v", again, err)
	}
}

func TestParseDescriptionRefusesWhatMustNotBeWritten(t *testing.T) {
	t.Parallel()
	tests := []struct{ data, field string }{
		{`{"users":{}}`, "users"},
		{`{"users":null}`, "users"},
		{`{"wildcard-user":{}}`, "wildcard-user"},
		{`{"authKeys":[]}`, "authKeys"},
		{`{"op":[]}`, "op"},
		{`{"presenter":[{}]}`, "presenter"},
		{`{"other":[{}]}`, "other"},
		{`{"allow-subgroups":true}`, "allow-subgroups"},
		{`{"bogus":1}`, "bogus"},
		{`{"Public":true}`, "Public"},
		{`{"max-clients":"many"}`, "max-clients"},
		{`{"expires":"tomorrow"}`, "expires"},
		{`{"fallback-users":[{"password":"x"}]}`, "fallback-users.0.password"},
		{`{"fallback-users":[{"permissions":"king"}]}`, "fallback-users.0.permissions"},
		{`{"fallback-users":[{"permissions":["system"]}]}`, "fallback-users.0.permissions"},
		{`{} {}`, ""},
		{`{`, ""},
		{`[]`, ""},
		{``, ""},
	}
	for _, tt := range tests {
		_, err := ParseDescription([]byte(tt.data))
		bad, ok := errors.AsType[*DefinitionError](err)
		if !ok || !errors.Is(err, ErrInvalidDefinition) || bad.Field != tt.field {
			t.Errorf("ParseDescription(%s) = %v, want it refused because of field %q", tt.data, err, tt.field)
		}
	}
}

func TestParseUserRefusesPasswordsAndWhatCannotBe(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		`{"password":"x"}`, `{"password":null}`, `{"permissions":"king"}`, `{"permissions":["system"]}`, `{"x":1}`, `"op"`, `{}}`,
	} {
		if user, err := ParseUser([]byte(data)); !errors.Is(err, ErrInvalidDefinition) {
			t.Errorf("ParseUser(%s) = %+v, %v, want %v", data, user, err, ErrInvalidDefinition)
		}
	}
	if _, err := ParseUser([]byte(`{"permissions":"king"}`)); !errors.Is(err, config.ErrUnknownSet) {
		t.Errorf("ParseUser with an unknown set = %v, want %v", err, config.ErrUnknownSet)
	}
	if user, err := ParseUser([]byte(`{"permissions":["present","x"]}`)); err != nil || len(user.Permissions.List()) != 2 {
		t.Errorf("ParseUser() = %+v, %v, want two permissions", user, err)
	}
}

func TestWriteDefinitionKeepsWhatIsAdministeredByItself(t *testing.T) {
	t.Parallel()
	h := newWritableHouse(t, map[string]string{"room": full})
	for _, body := range []string{`{"displayName":"new"}`, `{"displayName":"new","fallback-users":[{"permissions":"present"}]}`} {
		d, err := ParseDescription([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if created, err := h.WriteDefinition("room", d, AnyTag); created || err != nil {
			t.Fatalf("WriteDefinition(%s) = %v, %v", body, created, err)
		}
		want := strings.Replace(full, `"public":true,"displayName":"old"`, `"displayName":"new"`, 1)
		if got, want := h.compact("room"), sortedJSON(t, want); got != want {
			t.Errorf("file after writing %s:\n%s\nwant\n%s", body, got, want)
		}
	}
	for _, body := range []string{
		`{"fallback-users":[]}`, `{"fallback-users":[{}]}`, `{"fallback-users":[{"permissions":"present"},{}]}`,
	} {
		d, err := ParseDescription([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		before := h.file("room")
		if _, err := h.WriteDefinition("room", d, AnyTag); !errors.Is(err, ErrInvalidDefinition) || h.file("room") != before {
			t.Errorf("WriteDefinition(%s) = %v, want it refused and the file untouched", body, err)
		}
	}
}

func TestWriteDefinitionOfEverythingReplacesEverything(t *testing.T) {
	t.Parallel()
	h := newWritableHouse(t, map[string]string{"room": full})
	secret := password.Plain("s")
	d := &Description{Users: map[string]config.User{"eve": {Password: &secret}}}
	if _, err := h.WriteDefinition("room", d, h.etag("room")); err != nil {
		t.Fatal(err)
	}
	if got, want := h.compact("room"), `{"users":{"eve":{"password":"s"}}}`; got != want {
		t.Errorf("file = %s, want %s", got, want)
	}
	var unusable password.Password
	if err := json.Unmarshal([]byte(`{"type":"pbkdf2","hash":"sha-256","key":"","salt":"","iterations":1}`), &unusable); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []*Description{
		{Users: map[string]config.User{"eve": {Password: &unusable}}},
		{Users: map[string]config.User{"a//b": {Password: &secret}}},
		{WildcardUser: &config.User{Password: &unusable}},
		{FallbackUsers: []config.User{{Password: &unusable}}},
		{Users: map[string]config.User{}, Comment: strings.Repeat("x", config.MaxFileBytes)},
	} {
		before := h.file("room")
		if _, err := h.WriteDefinition("room", bad, AnyTag); !errors.Is(err, ErrInvalidDefinition) || h.file("room") != before {
			t.Errorf("WriteDefinition = %.100v, want it refused and the file untouched", err)
		}
	}
}
