package group

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"galene/token"
)

// tokenOutcome is a token, or what a member is told instead.
func tokenOutcome(t *token.Token, err error) string {
	if refusal, ok := errors.AsType[*TokenError](err); ok {
		return refusal.ID + ": " + refusal.Text
	}
	if err != nil {
		return err.Error()
	}
	name := "nobody"
	if t.Username != nil {
		name = fmt.Sprintf("%q", *t.Username)
	}
	return fmt.Sprintf("%s: %s %v", t.Group, name, t.Permissions)
}

func TestMembersMakeTokensForTheirGroup(t *testing.T) {
	t.Parallel()
	b := newBank(t, map[string]string{
		"g":    `{"allow-recording":true,` + ops[1:],
		"free": `{"unrestricted-tokens":true,` + ops[1:],
	})
	members := map[string]*peer{
		"op": b.join("g", "op"), "presenter": b.join("g", "presenter"), "free": b.join("free", "presenter"),
		"demoted": b.join("g", "op2"),
	}
	if err := b.find("g").SetPermission("op2", Unop); err != nil {
		t.Fatal(err)
	}
	expires := later(time.Hour)
	const denied = "not-authorised: not authorised"
	tests := []struct {
		name, member string
		token        token.Token
		want         string
	}{
		{"without permission", "presenter", token.Token{Group: "g", Expires: expires}, denied},
		{"permission withdrawn", "demoted", token.Token{Group: "g", Expires: expires}, denied},
		{"without permission and malformed", "presenter", token.Token{Token: "x"}, denied},
		{"named token", "op", token.Token{Token: "x", Group: "h"}, "error: client specified token"},
		{"other group", "op", token.Token{Group: "h", Expires: expires}, "error: wrong group in token"},
		{"no group", "op", token.Token{Expires: expires}, "error: wrong group in token"},
		{"subgroup", "op", token.Token{Group: "g/sub", Expires: expires}, "error: wrong group in token"},
		{"no expiry", "op", token.Token{Group: "g", Username: new("op")}, "error: token doesn't expire"},
		{
			"name of a user", "op",
			token.Token{Group: "g", Expires: expires, Username: new("op2"), Permissions: []string{"admin"}},
			"error: that username is taken",
		},
		{"bad name", "op", token.Token{Group: "g", Expires: expires, Username: new("a//b")}, "error: bad token value"},
		{"too much", "op", token.Token{Group: "g", Expires: expires, Permissions: []string{"op", "admin"}}, denied},
		{"system", "op", token.Token{Group: "g", Expires: expires, Permissions: []string{"system"}}, denied},
		{"unknown permission", "op", token.Token{Group: "g", Expires: expires, Permissions: []string{"x"}}, denied},
		{"more than a presenter has", "free", token.Token{Group: "free", Expires: expires, Permissions: []string{"op"}}, denied},
		{"nothing", "op", token.Token{Group: "g", Expires: expires}, "g: nobody []"},
		{"expired", "op", token.Token{Group: "g", Expires: later(-time.Hour)}, "g: nobody []"},
		{
			"everything", "op",
			token.Token{Group: "g", Expires: expires, Username: new("ann"), Permissions: []string{"record", "op"}},
			`g: "ann" [record op]`,
		},
		{"presenter's", "free", token.Token{Group: "free", Expires: expires, Permissions: []string{"present", "token"}}, "free: nobody [present token]"},
	}
	for _, tt := range tests {
		tt.token.IncludeSubgroups = true
		tt.token.IssuedBy, tt.token.IssuedAt = new("forged"), later(time.Hour)
		made, err := members[tt.member].MakeToken(&tt.token)
		if got := tokenOutcome(made, err); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		if err != nil {
			continue
		}
		if made.IncludeSubgroups || made.IssuedBy == nil || *made.IssuedBy != members[tt.member].Username() ||
			time.Since(*made.IssuedAt).Abs() > time.Minute || len(made.Token) != 22 {
			t.Errorf("%s: %+v of %v at %v", tt.name, made, made.IssuedBy, made.IssuedAt)
		}
		if stored, err := b.Tokens().Get(made.Token); err != nil || stored.ETag() != made.ETag() {
			t.Errorf("%s: stored is %v, %v", tt.name, stored, err)
		}
		if strings.Contains(b.log.String(), made.Token) || !strings.Contains(b.log.String(), made.LogID()) {
			t.Errorf("%s: the log does not tell, or tells the secret", tt.name)
		}
	}
}

func TestTokensMadeByNamelessMembersTellNoIssuer(t *testing.T) {
	t.Parallel()
	b := newBank(t, map[string]string{"g": `{"wildcard-user":{"password":{"type":"wildcard"},"permissions":"op"}}`})
	p, refusal := b.try("g", "1", "", "")
	if refusal != nil {
		t.Fatal(refusal)
	}
	made, err := p.MakeToken(&token.Token{Group: "g", Expires: later(time.Hour), IssuedBy: new("forged")})
	if err != nil || made.IssuedBy != nil {
		t.Errorf("MakeToken = %+v, %v, want no issuer", made, err)
	}
	p.Leave()
	if _, err := p.MakeToken(&token.Token{Group: "g", Expires: later(time.Hour)}); !errors.Is(err, ErrNotMember) {
		t.Errorf("MakeToken after leaving = %v, want ErrNotMember", err)
	}
}

// fillBank stores tokens around the group g, whose op may do all but record and
// administer.
func fillBank(b *bank) {
	b.tb.Helper()
	b.put(token.Token{Token: "own", Group: "g", Username: new("ann"), Permissions: []string{"present"}, NotBefore: later(-2 * time.Hour), Expires: later(2 * time.Hour)})
	b.put(token.Token{Token: "expired", Group: "g", Permissions: []string{"op"}, Expires: later(-time.Hour)})
	b.put(token.Token{Token: "admin", Group: "g", Permissions: []string{"admin"}, Expires: later(-time.Hour)})
	b.put(token.Token{Token: "recorder", Group: "g", Permissions: []string{"present", "record"}})
	b.put(token.Token{Token: "recursive", Group: "g", IncludeSubgroups: true, Permissions: []string{"op"}, NotBefore: later(-2 * time.Hour)})
	b.put(token.Token{Token: "other", Group: "h", Permissions: []string{"present"}})
	b.put(token.Token{Token: "sub", Group: "g/sub", Permissions: []string{"present"}})
	b.put(token.Token{Token: "above", Group: "", IncludeSubgroups: true, Permissions: []string{"admin"}})
}

func TestOperatorsEditTheTimesOfTokensTheyCouldHaveMade(t *testing.T) {
	t.Parallel()
	past, soon, future := later(-time.Second), later(time.Minute), later(24*time.Hour)
	const unknown, field, denied = "error: unknown token", "error: this field cannot be edited", "not-authorised: not authorised"
	tests := []struct {
		name, member string
		edit         token.Token
		want         string
	}{
		{"presenter", "presenter", token.Token{Token: "own", Expires: future}, denied},
		{"presenter with tokens", "free", token.Token{Token: "own", Expires: future}, denied},
		{"group", "op", token.Token{Token: "own", Group: "g", Expires: future}, field},
		{"username", "op", token.Token{Token: "own", Username: new("")}, field},
		{"permissions", "op", token.Token{Token: "own", Permissions: []string{}}, field},
		{"fields before the token", "op", token.Token{Token: "x", Permissions: []string{}}, field},
		{"unknown", "op", token.Token{Token: "x", Expires: future}, unknown},
		{"no name", "op", token.Token{Expires: future}, unknown},
		{"of another group", "op", token.Token{Token: "other", Expires: past}, unknown},
		{"of a subgroup", "op", token.Token{Token: "sub", Expires: past}, unknown},
		{"global", "op", token.Token{Token: "above", Expires: past}, unknown},
		{"reviving an administrator", "op", token.Token{Token: "admin", Expires: future}, unknown},
		{"with permissions the operator lacks", "op", token.Token{Token: "recorder", Expires: past}, unknown},
		{"extending", "op", token.Token{Token: "own", Expires: future}, `g: "ann" [present]`},
		{"revoking", "op", token.Token{Token: "own", Expires: past}, `g: "ann" [present]`},
		{"beginning", "op", token.Token{Token: "own", NotBefore: soon}, `g: "ann" [present]`},
		{"both", "op", token.Token{Token: "own", NotBefore: soon, Expires: future}, `g: "ann" [present]`},
		{"nothing", "op", token.Token{Token: "own"}, `g: "ann" [present]`},
		{"reviving", "op", token.Token{Token: "expired", Expires: future}, "g: nobody [op]"},
		{"revoking a recursive one", "op", token.Token{Token: "recursive", Expires: past}, "g: nobody [op]"},
		{"extending a recursive one", "op", token.Token{Token: "recursive", Expires: future}, unknown},
		{"advancing a recursive one", "op", token.Token{Token: "recursive", NotBefore: later(-24 * time.Hour)}, unknown},
		{"delaying a recursive one", "op", token.Token{Token: "recursive", NotBefore: soon}, "g: nobody [op]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBank(t, map[string]string{"g": ops, "free": `{"unrestricted-tokens":true,` + ops[1:]})
			fillBank(b)
			members := map[string]*peer{"op": b.join("g", "op"), "presenter": b.join("g", "presenter"), "free": b.join("free", "presenter")}
			old, _ := b.Tokens().Get(tt.edit.Token) // nil if there is none
			edited, err := members[tt.member].EditToken(&tt.edit)
			if got := tokenOutcome(edited, err); got != tt.want {
				t.Fatalf("%s, want %s", got, tt.want)
			}
			now, _ := b.Tokens().Get(tt.edit.Token)
			if err != nil {
				if old != nil && now.ETag() != old.ETag() {
					t.Errorf("the token has changed to %v", now)
				}
				return
			}
			want := old.Clone()
			if tt.edit.Expires != nil {
				want.Expires = tt.edit.Expires
			}
			if tt.edit.NotBefore != nil {
				want.NotBefore = tt.edit.NotBefore
			}
			if now.ETag() != want.ETag() || edited.ETag() != want.ETag() {
				t.Errorf("stored %v, returned %v, want %v", now, edited, want)
			}
		})
	}
}

func TestOperatorsListTheTokensOfTheirGroup(t *testing.T) {
	t.Parallel()
	b := newBank(t, map[string]string{"g": ops, "free": `{"unrestricted-tokens":true,` + ops[1:]})
	fillBank(b)
	op := b.join("g", "op")
	tokens, err := op.ListTokens()
	var got []string
	for _, tok := range tokens {
		got = append(got, tok.Token)
	}
	if want := []string{"expired", "recursive", "own"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("ListTokens() = %v, %v, want %v", got, err, want)
	}
	op.Leave()
	if _, err := op.ListTokens(); !errors.Is(err, ErrNotMember) {
		t.Errorf("ListTokens after leaving = %v, want ErrNotMember", err)
	}
	for group, name := range map[string]string{"g": "presenter", "free": "presenter"} {
		if _, err := b.join(group, name).ListTokens(); !errors.Is(err, errTokenNotAuthorised) {
			t.Errorf("ListTokens by %s of %s = %v, want not authorised", name, group, err)
		}
	}
}

func TestAdministratorsStoreTokensWithinTheirRights(t *testing.T) {
	t.Parallel()
	server := &Principal{Username: "root", ServerAdmin: true, Permissions: NewPermissions("admin")}
	admin := &Principal{Group: "g", Username: "chief", Permissions: NewPermissions("admin")}
	op := &Principal{Group: "g", Username: "op", Permissions: NewPermissions("op", "token")}
	tests := []struct {
		name  string
		by    *Principal
		token token.Token
		want  error
	}{
		{"server's, global", server, token.Token{IncludeSubgroups: true, Permissions: []string{"admin"}}, nil},
		{"server's, for a group", server, token.Token{Group: "g", IncludeSubgroups: true, Permissions: []string{"admin"}}, nil},
		{"group's", admin, token.Token{Group: "g", Permissions: []string{"op", "admin"}}, nil},
		{"group's, recursive", admin, token.Token{Group: "g", IncludeSubgroups: true, Permissions: []string{"op"}}, nil},
		{"group's, administrator of subgroups", admin, token.Token{Group: "g", IncludeSubgroups: true, Permissions: []string{"admin"}}, ErrNotPermitted},
		{"group's, for another one", admin, token.Token{Group: "h"}, ErrNotPermitted},
		{"group's, for a subgroup", admin, token.Token{Group: "g/sub"}, ErrNotPermitted},
		{"group's, global", admin, token.Token{}, ErrNotPermitted},
		{"operator's", op, token.Token{Group: "g"}, ErrNotPermitted},
	}
	for _, tt := range tests {
		b := newBank(t, nil)
		tok := tt.token
		tok.Expires, tok.IssuedBy = later(time.Hour), new("forged")
		made, err := b.CreateToken(tt.by, &tok)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if err != nil {
			continue
		}
		if *made.IssuedBy != tt.by.Username || made.IssuedAt == nil {
			t.Errorf("%s: issued by %s, want %s", tt.name, *made.IssuedBy, tt.by.Username)
		}
		other := &Principal{Username: "someone", ServerAdmin: true}
		replaced, err := b.ReplaceToken(other, made, made.ETag())
		if err != nil || *replaced.IssuedBy != tt.by.Username {
			t.Errorf("%s: ReplaceToken = %v, %v, want the same issuer", tt.name, replaced, err)
		}
		if err := b.DeleteToken(op, made.Group, made.Token, token.AnyTag); !errors.Is(err, ErrNotPermitted) {
			t.Errorf("%s: DeleteToken by an operator = %v, want ErrNotPermitted", tt.name, err)
		}
		if err := b.DeleteToken(tt.by, made.Group, made.Token, replaced.ETag()); err != nil {
			t.Errorf("%s: DeleteToken = %v", tt.name, err)
		}
		if got := strings.Count(b.log.String(), "token stored") + strings.Count(b.log.String(), "token deleted"); got != 3 {
			t.Errorf("%s: %d changes logged, want 3:\n%s", tt.name, got, b.log)
		}
	}
}

func TestReplacingAndDeletingHeedTheGroup(t *testing.T) {
	t.Parallel()
	b := newBank(t, nil)
	fillBank(b)
	server := &Principal{Username: "root", ServerAdmin: true}
	admin := &Principal{Group: "g", Username: "chief", Permissions: NewPermissions("admin")}
	b.put(token.Token{Token: "deep", Group: "g", IncludeSubgroups: true, Permissions: []string{"admin"}})
	replace := func(by *Principal, group, name, etag string) error {
		_, err := b.ReplaceToken(by, &token.Token{Token: name, Group: group, Expires: later(time.Hour)}, etag)
		return err
	}
	tests := []struct {
		name string
		got  error
		want error
	}{
		{"new", replace(admin, "g", "new", ""), nil},
		{"new, but it exists", replace(admin, "g", "own", ""), token.ErrTagMismatch},
		{"old, but it does not exist", replace(admin, "g", "none", token.AnyTag), token.ErrNotExist},
		{"another group's", replace(server, "g", "other", token.AnyTag), token.ErrOtherGroup},
		{"another tag", replace(admin, "g", "own", `"x"`), token.ErrTagMismatch},
		{"what is beyond the administrator's rights", replace(admin, "g", "deep", token.AnyTag), ErrNotPermitted},
		{"the same by the server's administrator", replace(server, "g", "deep", token.AnyTag), nil},
		{"delete another group's", b.DeleteToken(server, "g", "other", token.AnyTag), token.ErrNotExist},
		{"delete with another tag", b.DeleteToken(server, "g", "own", `"x"`), token.ErrTagMismatch},
		{"delete what does not exist", b.DeleteToken(admin, "g", "none", token.AnyTag), token.ErrNotExist},
		{"delete global by a group's", b.DeleteToken(admin, "", "above", token.AnyTag), ErrNotPermitted},
		{"delete global", b.DeleteToken(server, "", "above", token.AnyTag), nil},
	}
	for _, tt := range tests {
		if !errors.Is(tt.got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

func TestTokensOfAGroupGoWithIt(t *testing.T) {
	t.Parallel()
	b := newBank(t, map[string]string{"g": ops, "g/own": `{"auto-subgroups":true}`, "gh": ops})
	for _, group := range []string{"g", "g/auto", "g/own", "g/own/auto", "gh", ""} {
		b.put(token.Token{Token: "t" + strings.ReplaceAll(group, "/", "-"), Group: group, IncludeSubgroups: true})
	}
	b.undefine("g")
	if err := b.dropTokens("g"); err != nil {
		t.Fatal(err)
	}
	groups, err := b.Tokens().Groups()
	if want := []string{"", "g/own", "g/own/auto", "gh"}; err != nil || !slices.Equal(groups, want) {
		t.Errorf("tokens are left for %q, %v, want %q", groups, err, want)
	}
}
