package group

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"galene/config"
	"galene/internal/testlog"
	"galene/token"
)

// bank is a house with tokens.
type bank struct {
	*house
	log      *testlog.Journal
	settings *config.Settings // to be changed before anything is asked
}

func newBank(tb testing.TB, definitions map[string]string) *bank {
	tb.Helper()
	b := &bank{house: &house{tb: tb, dir: tb.TempDir()}, log: new(testlog.Journal), settings: &config.Settings{}}
	for name, data := range definitions {
		b.define(name, data)
	}
	log := slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	store, err := token.Open(filepath.Join(tb.TempDir(), "var", "tokens.jsonl"), log)
	if err != nil {
		tb.Fatal(err)
	}
	b.Registry = NewRegistry(Options{
		Directory: b.dir, Log: log, Tokens: store,
		Settings: func() *config.Settings { return b.settings },
	})
	return b
}

// put stores a token that is good for an hour unless t says otherwise.
func (b *bank) put(t token.Token) {
	b.tb.Helper()
	if t.Expires == nil {
		t.Expires = later(time.Hour)
	}
	if _, err := b.Tokens().Add(&t); err != nil {
		b.tb.Fatal(err)
	}
}

func later(d time.Duration) *time.Time { return new(time.Now().Add(d).UTC()) }

// outcome is how joining ended: the username and the permissions, or the reason
// of a refusal.
func outcome(p *peer, refusal *JoinError) string {
	switch {
	case refusal == nil:
		return fmt.Sprintf("%q %s", p.Username(), strings.Join(p.Permissions().List(), " "))
	case refusal.ID != "":
		return refusal.ID
	case refusal.Delay:
		return refusal.Text + ", later"
	default:
		return refusal.Text
	}
}

const refusedLater = "not authorised, later"

func TestStatefulTokensLetIn(t *testing.T) {
	t.Parallel()
	users := `"users":{"john":{"password":"secret","permissions":"op"}}`
	b := newBank(t, map[string]string{
		"g":       `{"auto-subgroups":true,` + users + `}`,
		"g/own":   `{` + users + `}`,
		"other":   `{` + users + `}`,
		"named":   `{"allow-anonymous":false,` + users + `}`,
		"locked":  `{"autolock":true,` + users + `}`,
		"records": `{"allow-recording":true,"unrestricted-tokens":true}`,
	})
	present := []string{"present", "message"}
	tokens := []token.Token{
		{Token: "nameless", Group: "g", Permissions: present},
		{Token: "empty", Group: "g", Username: new(""), Permissions: present},
		{Token: "bob", Group: "g", Username: new("bob"), Permissions: present},
		{Token: "john", Group: "g", Username: new("john"), Permissions: present},
		{Token: "bad name", Group: "g", Username: new("a/../b")},
		{Token: "nothing", Group: "g", Username: new("bob")},
		{Token: "raw", Group: "g", Username: new("bob"), Permissions: []string{"x", "op", "system"}},
		{Token: "expired", Group: "g", Username: new("bob"), Expires: later(-time.Minute)},
		{Token: "expired nameless", Group: "g", Expires: later(-time.Minute)},
		{Token: "early", Group: "g", Username: new("bob"), NotBefore: later(time.Minute)},
		{Token: "recursive", Group: "g", IncludeSubgroups: true, Username: new("bob"), Permissions: present},
		{Token: "global", IncludeSubgroups: true, Username: new("bob"), Permissions: present},
		{Token: "useless", Username: new("bob"), Permissions: present},
		{Token: "for named", Group: "named", Username: new(""), Permissions: present},
		{Token: "for locked", Group: "locked", Username: new("bob"), Permissions: present},
		{Token: "op for locked", Group: "locked", Username: new("bob"), Permissions: []string{"op"}},
		{Token: "for records", Group: "records", Username: new("bob"), Permissions: []string{"op", "present"}},
	}
	for _, tok := range tokens {
		tok.Token = strings.ReplaceAll(tok.Token, " ", "-")
		b.put(tok)
	}
	const asBob = `"bob" present message`
	tests := []struct {
		name, token, group string
		username           string // "-" if none is given
		want               string
	}{
		{"unknown", "x", "g", "bob", refusedLater},
		{"token's name", "bob", "g", "-", asBob},
		{"token's name wins", "bob", "g", "ann", asBob},
		{"token's name wins over a user's", "bob", "g", "john", asBob},
		{"token's name may be a user's", "john", "g", "-", `"john" present message`},
		{"token needs a name", "nameless", "g", "-", "need-username"},
		{"expired token needs a name first", "expired-nameless", "g", "-", "need-username"},
		{"token of another group needs a name first", "nameless", "other", "-", "need-username"},
		{"chosen name", "nameless", "g", "ann", `"ann" present message`},
		{"chosen empty name", "nameless", "g", "", `"" present message`},
		{"chosen name of a user", "nameless", "g", "john", "duplicate-username"},
		{"chosen bad name", "nameless", "g", "a/../b", refusedLater},
		{"empty name by default", "empty", "g", "-", `"" present message`},
		{"name instead of the empty one", "empty", "g", "ann", `"ann" present message`},
		{"name of a user instead of the empty one", "empty", "g", "john", "duplicate-username"},
		{"token's bad name", "bad-name", "g", "-", refusedLater},
		{"no permissions", "nothing", "g", "-", `"bob" `},
		{"permissions as they are, but system", "raw", "g", "-", `"bob" x op`},
		{"permissions without extras", "for-records", "records", "-", `"bob" op present`},
		{"expired", "expired", "g", "-", refusedLater},
		{"expired and name of a user", "expired-nameless", "g", "john", refusedLater},
		{"not yet valid", "early", "g", "-", refusedLater},
		{"of another group", "bob", "other", "-", refusedLater},
		{"of the group above", "bob", "g/sub", "-", refusedLater},
		{"recursive, own group", "recursive", "g", "-", asBob},
		{"recursive, subgroup", "recursive", "g/sub", "-", asBob},
		{"recursive, deep subgroup", "recursive", "g/sub/sub", "-", asBob},
		{"recursive, subgroup with a definition", "recursive", "g/own", "-", asBob},
		{"recursive, another group", "recursive", "other", "-", refusedLater},
		{"global", "global", "other", "-", asBob},
		{"global without subgroups", "useless", "g", "-", refusedLater},
		{"empty name where there must be one", "for-named", "named", "-", "need-username"},
		{"name where there must be one", "for-named", "named", "ann", `"ann" present message`},
		{"locked group", "for-locked", "locked", "-", textLocked},
		{"locked group, operator", "op-for-locked", "locked", "-", `"bob" op`},
	}
	for i, tt := range tests {
		c := Credentials{Token: tt.token, Password: "secret"}
		if tt.username != "-" {
			c.Username = &tt.username
		}
		p, refusal := b.tryAs(tt.group, c, Newcomer{ID: fmt.Sprint(i)})
		if got := outcome(p, refusal); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		if refusal == nil {
			p.Leave()
		}
	}
}

func TestTokensCanBeUsedAgain(t *testing.T) {
	t.Parallel()
	b := newBank(t, map[string]string{"g": `{}`})
	b.put(token.Token{Token: "t", Group: "g", Username: new("bob"), Permissions: []string{"present"}})
	for i := range 3 {
		if _, refusal := b.tryAs("g", Credentials{Token: "t"}, Newcomer{ID: fmt.Sprint(i)}); refusal != nil {
			t.Errorf("use %d: %v", i, refusal)
		}
	}
	if err := b.Tokens().Delete("t", token.AnyTag); err != nil {
		t.Fatal(err)
	}
	if _, refusal := b.tryAs("g", Credentials{Token: "t"}, Newcomer{ID: "x"}); refusal == nil {
		t.Error("a deleted token lets in")
	}
	if got := len(b.find("g").Members()); got != 3 {
		t.Errorf("%d members after the token was deleted, want 3", got)
	}
}

func TestModerationDoesNotChangeStoredTokens(t *testing.T) {
	t.Parallel()
	b := newBank(t, map[string]string{"g": ops})
	b.put(token.Token{Token: "t", Group: "g", Username: new("bob"), Permissions: []string{"op", "present", "message"}})
	before, err := b.Tokens().Get("t")
	if err != nil {
		t.Fatal(err)
	}
	p, refusal := b.tryAs("g", Credentials{Token: "t"}, Newcomer{ID: "1"})
	if refusal != nil {
		t.Fatal(refusal)
	}
	for _, change := range []PermissionChange{Unop, Unpresent, Shutup} {
		if err := p.Group().SetPermission("1", change); err != nil {
			t.Fatal(err)
		}
	}
	if got := p.Permissions().List(); len(got) != 0 {
		t.Errorf("permissions after moderation = %v", got)
	}
	if after, err := b.Tokens().Get("t"); err != nil || after.ETag() != before.ETag() {
		t.Errorf("the token is %v, %v now", after, err)
	}
}

func TestWithoutAStoreNoTokenIsKnown(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"g": ops})
	p, refusal := h.tryAs("g", Credentials{Token: "t"}, Newcomer{ID: "1"})
	if got := outcome(p, refusal); got != refusedLater {
		t.Errorf("token without a store: %s, want %s", got, refusedLater)
	}
	if _, err := h.join("g", "op").ListTokens(); err == nil {
		t.Error("ListTokens without a store succeeded")
	}
	if err := h.dropTokens("g"); err != nil {
		t.Errorf("dropTokens without a store: %v", err)
	}
}

// mint is who signs JSON Web Tokens for groups.
type mint struct{ secret []byte }

func newMint() *mint {
	m := &mint{make([]byte, 32)}
	_, _ = rand.Read(m.secret)
	return m
}

// key is the member of a definition that trusts the mint.
func (m *mint) key() string {
	return fmt.Sprintf(`{"kty":"oct","alg":"HS256","k":%q}`, base64.RawURLEncoding.EncodeToString(m.secret))
}

// sign returns a token for the group g that is good for a while, with claims
// changed; nil removes one.
func (m *mint) sign(tb testing.TB, changes map[string]any) string {
	tb.Helper()
	claims := jwt.MapClaims{
		"sub": "john", "aud": "https://galene.example/group/g/", "permissions": []string{"present"},
		"exp": time.Now().Add(30 * time.Second).Unix(), "iat": time.Now().Unix(),
	}
	for name, value := range changes {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(m.secret)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func TestJSONWebTokensLetIn(t *testing.T) {
	t.Parallel()
	trusted, foreign := newMint(), newMint()
	common := `"allow-recording":true,"unrestricted-tokens":true,"users":{"john":{"password":"secret","permissions":"op"}},
		"authKeys":[{"kty":"oct","alg":"HS256","k":"bad"},` + trusted.key() + `]`
	b := newBank(t, map[string]string{
		"g":       `{"auto-subgroups":true,` + common + `}`,
		"other":   `{` + common + `}`,
		"named":   `{"allow-anonymous":false,` + common + `}`,
		"keyless": `{}`,
	})
	b.settings = &config.Settings{CanonicalHost: "galene.example", ProxyURL: "https://proxy.example:8443/x/"}
	b.put(token.Token{Token: "stateful", Group: "g", Username: new("bob")})
	type m = map[string]any
	tests := []struct {
		name, group string
		token       string
		username    string // "-" if none is given
		want        string
	}{
		{"good", "g", trusted.sign(t, nil), "-", `"john" present`},
		{"sub wins", "g", trusted.sign(t, nil), "ann", `"john" present`},
		{"without sub", "g", trusted.sign(t, m{"sub": nil}), "-", `"" present`},
		{"without sub, chosen name", "g", trusted.sign(t, m{"sub": nil}), "ann", `"ann" present`},
		{"without sub, name of a user", "g", trusted.sign(t, m{"sub": ""}), "john", "duplicate-username"},
		{"bad sub", "g", trusted.sign(t, m{"sub": "a\\b"}), "-", refusedLater},
		{"name where there must be one", "named", trusted.sign(t, m{"sub": nil, "aud": "https://galene.example/group/named/"}), "ann", `"ann" present`},
		{"no permissions", "g", trusted.sign(t, m{"permissions": nil}), "-", `"john" `},
		{"system is dropped", "g", trusted.sign(t, m{"permissions": []string{"system", "op"}}), "-", `"john" op`},
		{"list without extras", "g", trusted.sign(t, m{"permissions": []string{"op"}}), "-", `"john" op`},
		{"set with extras", "g", trusted.sign(t, m{"permissions": "op"}), "-", `"john" record op present message caption token`},
		{"another set with extras", "g", trusted.sign(t, m{"permissions": "present"}), "-", `"john" token present message`},
		{"set without members", "g", trusted.sign(t, m{"permissions": "observe"}), "-", `"john" `},
		{"unknown set", "g", trusted.sign(t, m{"permissions": "system"}), "-", refusedLater},
		{"expired", "g", trusted.sign(t, m{"exp": time.Now().Add(-time.Minute).Unix()}), "-", refusedLater},
		{"another's key", "g", foreign.sign(t, nil), "-", refusedLater},
		{"no key", "keyless", trusted.sign(t, m{"aud": "https://galene.example/group/keyless/"}), "-", refusedLater},
		{"another group", "other", trusted.sign(t, nil), "-", refusedLater},
		{"another host", "g", trusted.sign(t, m{"aud": "https://other.example/group/g/"}), "-", refusedLater},
		{"no host", "g", trusted.sign(t, m{"aud": "/group/g/"}), "-", refusedLater},
		{"the proxy's host", "g", trusted.sign(t, m{"aud": "https://proxy.example:8443/group/g/"}), "-", `"john" present`},
		{"subgroup", "g/sub", trusted.sign(t, nil), "-", refusedLater},
		{"subgroup included", "g/sub", trusted.sign(t, m{"include-subgroups": true}), "-", `"john" present`},
		{
			"every group", "other", trusted.sign(t, m{"include-subgroups": true, "aud": "https://galene.example/group/"}),
			"-", `"john" present`,
		},
		{"the form decides", "g", "e30.e30.e30", "-", refusedLater},
		{"no form", "g", "stateful", "-", `"bob" `},
	}
	for i, tt := range tests {
		c := Credentials{Token: tt.token}
		if tt.username != "-" {
			c.Username = &tt.username
		}
		p, refusal := b.tryAs(tt.group, c, Newcomer{ID: fmt.Sprint(i)})
		if got := outcome(p, refusal); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	log := b.log.String()
	if strings.Contains(log, base64.RawURLEncoding.EncodeToString(trusted.secret)) {
		t.Error("the log has the key")
	}
	if !strings.Contains(log, "authKeys[0] is left out") || strings.Contains(log, "whatever host") {
		t.Errorf("the log lacks the bad key, or warns of hosts:\n%s", log)
	}
}

func TestTokensForAnyHostAreReportedOnce(t *testing.T) {
	t.Parallel()
	m := newMint()
	b := newBank(t, map[string]string{"g": `{"authKeys":[` + m.key() + `]}`})
	for i, aud := range []string{"https://any.example/group/g/", "/group/g/"} {
		c := Credentials{Token: m.sign(t, map[string]any{"aud": aud})}
		if _, refusal := b.tryAs("g", c, Newcomer{ID: fmt.Sprint(i)}); refusal != nil {
			t.Errorf("token for %s: %v", aud, refusal)
		}
	}
	if got := strings.Count(b.log.String(), "whatever host"); got != 1 {
		t.Errorf("%d warnings, want 1; log:\n%s", got, b.log)
	}
}

// Faulty keys close no group: passwords still work.
func TestFaultyKeysAreLeftOut(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"g": `{"authKeys":[1,{},{"kty":"oct","alg":"HS256","k":"x"},{"kty":"RSA","alg":"RS256","d":"x"}],` + ops[1:]})
	d, err := h.Description("g")
	if err != nil {
		t.Fatal(err)
	}
	if len(d.keys) != 0 || len(d.AuthKeys) != 4 || len(d.warnings) != 4 {
		t.Errorf("%d keys of %d, warnings %q; want 0 of 4 and 4 warnings", len(d.keys), len(d.AuthKeys), d.warnings)
	}
	h.join("g", "op")
}

func TestSecretsOfRefusedLoginsAreNotLogged(t *testing.T) {
	t.Parallel()
	m := newMint()
	b := newBank(t, map[string]string{"g": `{"authKeys":[` + m.key() + `],"users":{"john":{"password":"verysecret1"}}}`})
	b.put(token.Token{Token: "verysecret2", Group: "elsewhere"})
	expired := m.sign(t, map[string]any{"exp": 1})
	address := ParseAddress("192.0.2.1:1")
	for _, c := range []Credentials{
		{Username: new("john"), Password: "verysecret3", Address: address},
		{Username: new("eve\nlevel=INFO"), Password: "verysecret3", Address: address},
		{Username: new("john"), Token: "verysecret2", Address: address},
		{Username: new("john"), Token: "verysecret4", Address: address},
		{Username: new("john"), Token: expired, Address: address},
	} {
		if _, refusal := b.tryAs("g", c, Newcomer{ID: "1", Address: "192.0.2.1:1"}); refusal == nil ||
			strings.Contains(refusal.Error(), "verysecret") {
			t.Errorf("%s: %v", c.name(), refusal)
		}
		if _, err := b.Authenticate(t.Context(), "g", c); err == nil || strings.Contains(err.Error(), "verysecret") {
			t.Errorf("%s: %v", c.name(), err)
		}
	}
	log := b.log.String()
	if strings.Contains(log, "verysecret") || strings.Contains(log, expired[:20]) {
		t.Errorf("the log has a secret:\n%s", log)
	}
	for _, want := range []string{`username=john`, `username="eve\nlevel=INFO"`, "address=192.0.2.1:1", "address=192.0.2.1 "} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
	if slices.ContainsFunc(strings.Split(log, "\n"), func(line string) bool { return strings.HasPrefix(line, "level=") }) {
		t.Errorf("a username made a line of the log:\n%s", log)
	}
}

func TestDescriptionsKeepTheirKeysWhenWritten(t *testing.T) {
	t.Parallel()
	m := newMint()
	h := newHouse(t, map[string]string{"g": `{"auto-subgroups":true,"authKeys":[` + m.key() + `]}`})
	d, err := h.Description("g/sub")
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(d)
	if err != nil || !strings.Contains(string(data), `"authKeys":[`+m.key()+`]`) || len(d.keys) != 1 {
		t.Errorf("Marshal = %s, %v; %d keys", data, err, len(d.keys))
	}
}
