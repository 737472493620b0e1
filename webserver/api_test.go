package webserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"galene/config"
	"galene/group"
	"galene/token"
)

const (
	adminDefinition = `{"displayName": "Board", "allow-anonymous": true, "auto-subgroups": true, "users": {
		"": {"password": "empty's", "permissions": "observe"},
		"ada": {"password": "ada's", "permissions": "present"},
		"boss": {"password": "boss's", "permissions": "admin"},
		"oper": {"password": "oper's", "permissions": "op"},
		"free": {"password": {"type": "wildcard"}, "permissions": "present"}},
		"wildcard-user": {"password": "guest's", "permissions": "message"}}`
	otherDefinition = `{"users": {"chief": {"password": "chief's", "permissions": "admin"}}}`
	bareDefinition  = `{"users": {"boss": {"password": "boss's", "permissions": "admin"}}}`

	globalToken = "global-administrator-token"
	groupToken  = "token-of-the-board"
	ownToken    = "token-of-ada-herself"
	bossToken   = "token-that-administers-the-board"
	lateToken   = "administrator-token-that-has-expired"
	shortToken  = "administrator-token-for-no-subgroup"
	otherToken  = "token-of-another-group"
	jsonWebKey  = `{"kty":"oct","alg":"HS256","k":"4S9YZLHK1traIaXQooCnPfBw_yR8j9VEPaAMWAog_YQ"}`
)

// admin is a server with groups to administer.
type admin struct {
	*fixture
	t        *testing.T
	tokens   *token.Store
	groups   string
	requests int
}

func newAdmin(t *testing.T, change ...func(*Options)) *admin {
	t.Helper()
	a := &admin{t: t, groups: t.TempDir()}
	var err error
	if a.tokens, err = token.Open(filepath.Join(t.TempDir(), "tokens.jsonl"), nil); err != nil {
		t.Fatal(err)
	}
	settings := &config.Settings{
		WritableGroups:   true,
		AllowAdminOrigin: []string{"https://admin.example.net"},
	}
	const users = `{"root": {"password": "root's", "permissions": "admin"}, "guest": {"password": "guest's", "permissions": "op"}}`
	if err := json.Unmarshal([]byte(users), &settings.Users); err != nil {
		t.Fatal(err)
	}
	a.fixture = newFixture(t, func(o *Options) {
		o.Settings = func() *config.Settings { return settings }
		o.Registry = group.NewRegistry(group.Options{
			Directory: a.groups, Settings: o.Settings, Tokens: a.tokens, Log: o.Log,
		})
		o.Stats = func() any { return []string{"statistics"} }
		for _, f := range change {
			f(o)
		}
	})
	a.restoreGroups()
	a.restoreTokens()
	return a
}

// restoreGroups brings the definitions back to what they were at first.
func (a *admin) restoreGroups() {
	a.t.Helper()
	for name, definition := range map[string]string{"board": adminDefinition, "other": otherDefinition, "bare": bareDefinition} {
		write(a.t, filepath.Join(a.groups, name+".json"), definition)
	}
}

// restoreTokens brings the tokens back to what they were at first.
func (a *admin) restoreTokens() {
	a.t.Helper()
	if _, err := a.tokens.Remove(func(*token.Token) bool { return true }); err != nil {
		a.t.Fatal(err)
	}
	ada, past, expires := "ada", time.Now().Add(-time.Hour), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, t := range []token.Token{
		{Token: globalToken, IncludeSubgroups: true, Permissions: []string{"admin"}},
		{Token: groupToken, Group: "board", Permissions: []string{"present"}},
		{Token: otherToken, Group: "other", Permissions: []string{"present"}},
		{Token: ownToken, Group: "board", Username: &ada, Permissions: []string{"op", "present", "token"}},
		{Token: bossToken, Group: "board", IncludeSubgroups: true, Permissions: []string{"admin"}},
		{Token: lateToken, IncludeSubgroups: true, Permissions: []string{"admin"}, Expires: &past},
		{Token: shortToken, Permissions: []string{"admin"}},
	} {
		if t.Expires == nil {
			t.Expires = &expires
		}
		if _, err := a.tokens.Add(&t); err != nil {
			a.t.Fatal(err)
		}
	}
}

// ask sends a request to the API from an address of its own. credential is a
// name and a password with a colon, a token, or nothing.
func (a *admin) ask(method, path, credential, body string, headers ...string) *http.Response {
	a.requests++
	r := httptest.NewRequest(method, "http://example.org"+apiPrefix+path, strings.NewReader(body))
	r.RemoteAddr = fmt.Sprintf("[2001:db8:%x:%x::1]:5000", a.requests>>16, a.requests&0xffff)
	if name, password, ok := strings.Cut(credential, ":"); ok {
		r.SetBasicAuth(name, password)
	} else if credential != "" {
		r.Header.Set("Authorization", "Bearer "+credential)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w.Result()
}

// credential is a row of who asks.
type credential struct {
	name, value string
	may         func(e endpoint, p place) bool
}

func credentials() []credential {
	always := func(endpoint, place) bool { return true }
	never := func(endpoint, place) bool { return false }
	inGroup := func(e endpoint, _ place) bool { return e.rule != serverAdmin }
	inBoard := func(e endpoint, p place) bool { return inGroup(e, p) && strings.HasPrefix(p.path, "/.groups/board") }
	own := func(name string) func(endpoint, place) bool {
		return func(e endpoint, p place) bool { return e.rule == selfService && p.user == name }
	}
	return []credential{
		{"nobody", "", never},
		{"a wrong password", "root:wrong", never},
		{"an unknown token", "unknown", never},
		{"a token without the permission", groupToken, never},
		{"another group's administrator", "chief:chief's", never},
		{"a user", "ada:ada's", own("ada")},
		{"a user by an open password", "free:", never},
		{"a user's name with another's password", "boss:ada's", never},
		{"another user with the user's password", "nobody:ada's", never},
		{"an operator of the group", "oper:oper's", own("oper")},
		{"a user of the server who does not administer it", "guest:guest's", never},
		{"a token in a user's name", ownToken, never},
		{"a global token that has expired", lateToken, never},
		{"a global token without what is below", shortToken, never},
		{"the group's administrator", "boss:boss's", inGroup},
		{"the group's administrator by token", bossToken, inBoard},
		{"the server's administrator", "root:root's", always},
		{"a global token", globalToken, always},
	}
}

// bodyFor is a body that the method takes.
func bodyFor(e endpoint, m *method) string {
	switch {
	case m == nil || m.mediaType == "":
		return ""
	case m.mediaType == typeKeys:
		return `{"keys": [` + jsonWebKey + `]}`
	case m.mediaType == typeText:
		return "new"
	case strings.HasSuffix(e.path, "/.password"):
		return `"new"`
	case strings.Contains(e.path, ".tokens/"):
		return `{"permissions": ["present"], "expires": "2100-01-01T00:00:00Z"}`
	case strings.Contains(e.path, "user"):
		return `{"permissions": "present"}`
	default:
		return `{"displayName": "New"}`
	}
}

// place is where an endpoint's object is, or would be.
type place struct {
	path, user string
	exists     bool
}

func places(e endpoint) []place {
	fill := func(group, user, token string) string {
		return "/" + strings.NewReplacer("GROUP", group, "USER", user, "TOKEN", token).Replace(e.path)
	}
	token := groupToken
	if strings.HasPrefix(e.path, ".groups/.tokens") {
		token = globalToken
	}
	all := []place{{fill("board", "ada", token), "ada", true}}
	switch {
	case strings.Contains(e.path, "USER"), strings.Contains(e.path, "TOKEN"):
		all = append(all, place{fill("board", "missing", "missing"), "missing", false})
	case strings.Contains(e.path, "-user"):
		all = append(all, place{fill("bare", "", ""), "", false})
	case strings.HasSuffix(e.path, "GROUP"):
		all = append(all, place{fill("board/missing", "", ""), "", false})
	}
	return all
}

// precondition is a row of preconditions. TAG stands for the present tag.
type precondition struct {
	header       string
	matches      bool // if the object exists
	wantsNothing bool // it is If-None-Match
}

func preconditions() []precondition {
	return []precondition{
		{"", false, false},
		{"If-Match: TAG", true, false},
		{`If-Match: "other", TAG`, true, false},
		{"If-Match: *", true, false},
		{`If-Match: "stale"`, false, false},
		{"If-Match: W/TAG", false, false},
		{"If-None-Match: *", true, true},
		{"If-None-Match: TAG", true, true},
		{`If-None-Match: "stale"`, false, true},
	}
}

// want is the status that the request has to get.
func want(e endpoint, p place, c credential, name string, pre precondition) int {
	m := e.method(name)
	reads := name == "GET" || name == "HEAD"
	password := strings.HasSuffix(e.path, "/.password")
	holds := pre.header == "" || (pre.matches && p.exists) != pre.wantsNothing
	switch {
	case name == "OPTIONS":
		return 200
	case !c.may(e, p):
		return 401
	case m == nil:
		return 405
	case !p.exists && (reads || name == "DELETE" || password):
		return 404
	case m.conditional && !holds && pre.wantsNothing && reads:
		return 304
	case m.conditional && !holds:
		return 412
	case reads:
		return 200
	case name == "POST" && !password, name == "PUT" && !p.exists:
		return 201
	default:
		return 204
	}
}

// Every endpoint, with every method, for everybody, with every precondition,
// whether its object exists or not.
func TestAPI(t *testing.T) {
	t.Parallel()
	for _, e := range endpoints() {
		for _, p := range places(e) {
			t.Run(p.path, func(t *testing.T) {
				t.Parallel()
				newAdmin(t).checkEndpoint(e, p)
			})
		}
	}
}

func (a *admin) checkEndpoint(e endpoint, p place) {
	a.t.Helper()
	tag := a.ask("GET", p.path, "root:root's", "").Header.Get("ETag")
	if tag == "" {
		tag = `"none"`
	}
	changes := 0
	for _, c := range credentials() {
		for _, name := range []string{"OPTIONS", "GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "BREW"} {
			for _, pre := range preconditions() {
				if pre.header != "" && (!c.may(e, p) || isCostly(e, name) && (pre.header != "If-None-Match: *" || c.value != globalToken)) {
					continue // there is nothing more to see
				}
				if a.checkCall(e, p, c, name, pre, tag) {
					changes++
					changes += a.undo(e, p)
				}
			}
		}
	}
	if got := a.log.Count("msg=administration "); got != changes {
		a.t.Errorf("%d lines in the log for %d changes", got, changes)
	}
	for _, secret := range []string{"root's", "boss's", "ada's", globalToken, groupToken, ownToken, bossToken, "4S9YZLHK"} {
		if a.log.Count(secret) != 0 {
			a.t.Errorf("the log contains %q", secret)
		}
	}
}

// isCostly reports whether a request has a password hashed.
func isCostly(e endpoint, name string) bool {
	m := e.method(name)
	return m != nil && m.mediaType == typeText
}

// checkCall sends a request, and reports whether it has changed something.
func (a *admin) checkCall(e endpoint, p place, c credential, name string, pre precondition, tag string) bool {
	a.t.Helper()
	m := e.method(name)
	var headers []string
	if m != nil && m.mediaType != "" {
		headers = append(headers, "Content-Type: "+m.mediaType+"; charset=utf-8")
	}
	if pre.header != "" {
		headers = append(headers, strings.ReplaceAll(pre.header, "TAG", tag))
	}
	response := a.ask(name, p.path, c.value, bodyFor(e, m), headers...)
	got, status := response.StatusCode, want(e, p, c, name, pre)
	if got != status {
		a.t.Errorf("%s %s by %s, %q: status %d, want %d (%s)", name, p.path, c.name, pre.header, got, status, body(a.t, response))
	}
	a.checkHeaders(e, name, response)
	return !isSafe(name) && got < 300
}

// undo brings everything back, and returns how many changes through the API
// that took.
func (a *admin) undo(e endpoint, p place) int {
	a.t.Helper()
	changes := 0
	isGroup := strings.HasSuffix(e.path, "GROUP")
	if isGroup && !p.exists {
		a.ask("DELETE", p.path, "root:root's", "")
		changes++
	}
	if isGroup || !strings.Contains(e.path, ".tokens") {
		a.restoreGroups()
	}
	if isGroup || strings.Contains(e.path, ".tokens") {
		a.restoreTokens()
	}
	return changes
}

func (a *admin) checkHeaders(e endpoint, name string, response *http.Response) {
	a.t.Helper()
	header := response.Header
	switch response.StatusCode {
	case 401:
		if got := header.Get("WWW-Authenticate"); got != `basic realm="/galene-api/"` {
			a.t.Errorf("%s %s: challenge %q", name, e.path, got)
		}
	case 405:
		if got := header.Get("Allow"); got != e.allow() {
			a.t.Errorf("%s %s: methods %q, want %q", name, e.path, got, e.allow())
		}
	case 304:
		if header.Get("ETag") == "" {
			a.t.Errorf("%s %s: not modified, without tag", name, e.path)
		}
	}
	if header.Get("Content-Security-Policy") == "" || header.Get("Vary") != "Origin" {
		a.t.Errorf("%s %s: headers %v", name, e.path, header)
	}
}

func TestAPIRefusesEveryChangeUnlessWritable(t *testing.T) {
	t.Parallel()
	a := newAdmin(t, func(o *Options) {
		settings := *o.Settings()
		settings.WritableGroups = false
		o.Settings = func() *config.Settings { return &settings }
	})
	for _, e := range endpoints() {
		for _, m := range e.methods {
			if m.name == "GET" {
				continue
			}
			for _, p := range places(e) {
				response := a.ask(m.name, p.path, "root:root's", bodyFor(e, &m), "Content-Type: "+m.mediaType)
				if response.StatusCode != 403 {
					t.Errorf("%s %s: status %d, want 403", m.name, p.path, response.StatusCode)
				}
			}
		}
	}
	if got := a.log.Count("msg=administration "); got != 0 {
		t.Errorf("%d changes", got)
	}
}

func TestAPIReplies(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	tests := []struct{ path, want string }{
		{"/.stats", `["statistics"]`},
		{"/.groups/", `["bare","board","other"]`},
		{"/.groups", `["bare","board","other"]`},
		{"/.groups/board", `{"displayName":"Board","allow-anonymous":true,"auto-subgroups":true}`},
		{"/.groups/board/", `{"displayName":"Board","allow-anonymous":true,"auto-subgroups":true}`},
		{"/.groups/board/.users/", `["","ada","boss","free","oper"]`},
		{"/.groups/board/below/.users/", `["","ada","boss","free","oper"]`},
		{"/.groups/board/.users/ada", `{"permissions":"present"}`},
		{"/.groups/board/.empty-user", `{"permissions":"observe"}`},
		{"/.groups/board/.wildcard-user", `{"permissions":"message"}`},
		{"/.groups/board/.tokens/", `["` + groupToken + `","` + ownToken + `","` + bossToken + `"]`},
		{"/.groups/board/below/.tokens/", `[]`},
		{"/.groups/.tokens/", `["` + lateToken + `","` + globalToken + `","` + shortToken + `"]`},
	}
	for _, tt := range tests {
		response := a.ask("GET", tt.path, "root:root's", "")
		if got := strings.TrimSpace(body(t, response)); got != tt.want || response.StatusCode != 200 {
			t.Errorf("GET %s: %d %s, want %s", tt.path, response.StatusCode, got, tt.want)
		}
		if got := response.Header.Get("Content-Type"); got != "application/json" {
			t.Errorf("GET %s: type %q", tt.path, got)
		}
		if got := response.Header.Get("Cache-Control"); got != "no-cache" {
			t.Errorf("GET %s: caching %q", tt.path, got)
		}
	}
	var shown token.Token
	response := a.ask("GET", "/.groups/board/.tokens/"+groupToken, "root:root's", "")
	if err := json.NewDecoder(response.Body).Decode(&shown); err != nil || shown.Token != "" || shown.Group != "" ||
		!slices.Equal(shown.Permissions, []string{"present"}) || shown.Expires == nil {
		t.Errorf("GET of a token: %#v, %v", shown, err)
	}
}

func TestAPIErrors(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	write(t, filepath.Join(a.groups, "broken.json"), "{")
	const expires = `"expires": "2100-01-01T00:00:00Z"`
	tests := []struct {
		name, method, path, mediaType, body string
		status                              int
		text                                string // part of the reply
	}{
		{"outside", "GET", "0/.stats", "", "", 404, ""},
		{"unknown resource", "GET", "/.other", "", "", 404, ""},
		{"unknown resource of a group", "GET", "/.groups/board/.other", "", "", 404, ""},
		{"unknown group", "GET", "/.groups/missing", "", "", 404, ""},
		{"users of an unknown group", "GET", "/.groups/missing/.users/", "", "", 404, ""},
		{"tokens of an unknown group", "GET", "/.groups/missing/.tokens/", "", "", 404, ""},
		{"automatic group", "GET", "/.groups/board/below", "", "", 404, ""},
		{"illegal name", "GET", `/.groups/x%5Cy`, "", "", 404, ""},
		{"broken definition", "GET", "/.groups/broken", "", "", 500, "broken.json"},
		{"group with an illegal name", "PUT", `/.groups/x%5Cy`, typeJSON, "{}", 400, "illegal group name"},
		{"user with an illegal name", "PUT", `/.groups/board/.users/x%5Cy`, typeJSON, "{}", 400, "illegal username"},
		{"wrong type", "PUT", "/.groups/board", "text/plain", "{}", 415, typeJSON},
		{"no type", "PUT", "/.groups/board", "", "{}", 415, typeJSON},
		{"malformed", "PUT", "/.groups/board", typeJSON, "{", 400, "definition"},
		{"two definitions", "PUT", "/.groups/board", typeJSON, "{}{}", 400, "definition"},
		{"unknown field", "PUT", "/.groups/board", typeJSON, `{"dislpayName": ""}`, 400, "dislpayName"},
		{"wrong kind of value", "PUT", "/.groups/board", typeJSON, `{"public": "yes"}`, 400, `"public"`},
		{"users", "PUT", "/.groups/board", typeJSON, `{"users": {}}`, 400, `"users"`},
		{"wildcard user", "PUT", "/.groups/board", typeJSON, `{"wildcard-user": null}`, 400, `"wildcard-user"`},
		{"keys", "PUT", "/.groups/board", typeJSON, `{"authKeys": []}`, 400, `"authKeys"`},
		{"operators of old", "PUT", "/.groups/board", typeJSON, `{"op": [{"username": "x", "password": "y"}]}`, 400, `"op"`},
		{"presenters of old", "PUT", "/.groups/board", typeJSON, `{"presenter": [{}]}`, 400, `"presenter"`},
		{"others of old", "PUT", "/.groups/board", typeJSON, `{"other": [{}]}`, 400, `"other"`},
		{"too large", "PUT", "/.groups/board", typeJSON, `{"comment": "` + strings.Repeat("x", maxRequestBody) + `"}`, 413, ""},
		{"malformed user", "PUT", "/.groups/board/.users/ada", typeJSON, "[]", 400, ""},
		{"user with a password", "PUT", "/.groups/board/.users/ada", typeJSON, `{"password": "x"}`, 400, `"password"`},
		{"unknown set", "PUT", "/.groups/board/.users/ada", typeJSON, `{"permissions": "king"}`, 400, "king"},
		{"malformed password", "PUT", "/.groups/board/.users/ada/.password", typeJSON, "7", 400, "password"},
		{"null password", "PUT", "/.groups/board/.users/ada/.password", typeJSON, " null", 400, "password"},
		{"unusable password", "PUT", "/.groups/board/.users/ada/.password", typeJSON, `{"type": "bcrypt", "key": "x"}`, 400, "password"},
		{"empty password", "POST", "/.groups/board/.users/ada/.password", typeText, "", 400, "empty"},
		{"long password", "POST", "/.groups/board/.users/ada/.password", typeText, strings.Repeat("x", 73), 400, "72"},
		{"binary password", "POST", "/.groups/board/.users/ada/.password", typeText, "\xff", 400, "UTF-8"},
		{"no keys", "PUT", "/.groups/board/.keys", typeKeys, "{}", 400, `"keys"`},
		{"bad key", "PUT", "/.groups/board/.keys", typeKeys, `{"keys": [{"kty": "oct"}]}`, 400, "authKeys.0"},
		{"keys of an unknown group", "PUT", "/.groups/missing/.keys", typeKeys, `{"keys": []}`, 404, ""},
		{"malformed token", "POST", "/.groups/board/.tokens/", typeJSON, "", 400, "token"},
		{"token without end", "POST", "/.groups/board/.tokens/", typeJSON, "{}", 400, `"expires"`},
		{"token with a name", "POST", "/.groups/board/.tokens/", typeJSON, `{"token": "x",` + expires + `}`, 400, `"token"`},
		{"token with a group", "POST", "/.groups/board/.tokens/", typeJSON, `{"group": "x",` + expires + `}`, 400, `"group"`},
		{"token with an illegal username", "POST", "/.groups/board/.tokens/", typeJSON, `{"username": "x\\y",` + expires + `}`, 400, `"username"`},
		{"token with an unknown field", "POST", "/.groups/board/.tokens/", typeJSON, `{"expire": 1}`, 400, `"expire"`},
		{"token of another group", "GET", "/.groups/board/.tokens/" + otherToken, "", "", 404, ""},
		{"change of another group's token", "PUT", "/.groups/board/.tokens/" + otherToken, typeJSON, "{" + expires + "}", 409, ""},
		{"end of another group's token", "DELETE", "/.groups/board/.tokens/" + otherToken, "", "", 404, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response := a.ask(tt.method, tt.path, "root:root's", tt.body, "Content-Type: "+tt.mediaType)
			if got := body(t, response); response.StatusCode != tt.status || !strings.Contains(got, tt.text) &&
				!strings.Contains(response.Header.Get("Accept"), tt.text) {
				t.Errorf("%s %s: %d %q, want %d with %q", tt.method, tt.path, response.StatusCode, got, tt.status, tt.text)
			}
		})
	}
	if got := a.log.Count("msg=administration "); got != 0 {
		t.Errorf("%d changes", got)
	}
}

func TestAPIKeepsWhatIsAdministeredByItself(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	steps := []struct {
		method, path, mediaType, body string
		status                        int
	}{
		{"PUT", "/.groups/board/.keys", typeKeys, `{"keys": [` + jsonWebKey + `]}`, 204},
		{"PUT", "/.groups/board", typeJSON, `{"displayName": "New", "allow-anonymous": true}`, 204},
		{"PUT", "/.groups/board/.users/ada", typeJSON, `{"permissions": "op"}`, 204},
		{"POST", "/.groups/board/.users/ada/.password", typeText, "ada's new", 204},
		{"PUT", "/.groups/new/room", typeJSON, `{}`, 201},
		{"PUT", "/.groups/new/room/.users/a/b", typeJSON, `{"permissions": "admin"}`, 201},
		{"PUT", "/.groups/new/room/.users/a/b/.password", typeJSON, `"a/b's"`, 204},
	}
	for _, step := range steps {
		response := a.ask(step.method, step.path, "root:root's", step.body, "Content-Type: "+step.mediaType)
		if response.StatusCode != step.status {
			t.Fatalf("%s %s: %d %s", step.method, step.path, response.StatusCode, body(t, response))
		}
	}
	d, _, err := a.registry.ReadDefinition("board")
	if err != nil || d.DisplayName != "New" || len(d.Users) != 5 || d.WildcardUser == nil || len(d.AuthKeys) != 1 {
		t.Errorf("the definition is now %+v, %v", d, err)
	}
	for _, tt := range []struct {
		credential, path string
		status           int
	}{
		{"ada:ada's new", "/.groups/board/.users/ada/.password", 405},
		{"ada:ada's", "/.groups/board/.users/ada/.password", 401},
		{"a/b:a/b's", "/.groups/new/room", 200},
	} {
		if got := a.ask("GET", tt.path, tt.credential, "").StatusCode; got != tt.status {
			t.Errorf("GET %s by %s: %d, want %d", tt.path, tt.credential, got, tt.status)
		}
	}
}

func TestAPITokensAreSigned(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	const bodyText = `{"permissions": ["present", "system"], "expires": "2100-01-01T00:00:00Z", "issuedBy": "somebody else"}`
	response := a.ask("POST", "/.groups/board/.tokens/", "boss:boss's", bodyText, "Content-Type: "+typeJSON)
	name := response.Header.Get("Location")
	made, err := a.tokens.Get(name)
	if response.StatusCode != 201 || err != nil {
		t.Fatalf("POST: %d at %q, %v", response.StatusCode, name, err)
	}
	if made.Group != "board" || made.IssuedBy == nil || *made.IssuedBy != "boss" || made.IssuedAt == nil ||
		slices.Contains(made.Permissions, "system") {
		t.Errorf("made %#v", *made)
	}
	const reaching = `{"permissions": ["admin"], "includeSubgroups": true, "expires": "2100-01-01T00:00:00Z"}`
	for who, status := range map[string]int{"boss:boss's": 403, "root:root's": 201} {
		if got := a.ask("POST", "/.groups/board/.tokens/", who, reaching, "Content-Type: "+typeJSON).StatusCode; got != status {
			t.Errorf("administration of the groups below, given by %s: %d, want %d", who, got, status)
		}
	}
}

func TestAPICrossOrigin(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	const foreign, friend = "https://evil.example.org", "https://admin.example.net"
	tests := []struct {
		name, method, credential, origin string
		status                           int
		allowed                          string
	}{
		{"own page", "GET", "root:root's", "https://example.org", 200, "https://example.org"},
		{"listed page", "GET", "root:root's", friend, 200, friend},
		{"foreign page", "GET", "root:root's", foreign, 200, ""},
		{"preflight of a listed page", "OPTIONS", "", friend, 200, friend},
		{"preflight of a foreign page", "OPTIONS", "", foreign, 200, ""},
		{"change by a listed page", "POST", "root:root's", friend, 204, friend},
		{"change by a foreign page, with a remembered password", "POST", "root:root's", foreign, 403, ""},
		{"change by a foreign page, with a token", "POST", globalToken, foreign, 204, ""},
	}
	for _, tt := range tests {
		path := "/.groups/board"
		if tt.method == "POST" {
			path += "/.users/ada/.password"
		}
		response := a.ask(tt.method, path, tt.credential, "new", "Content-Type: text/plain", "Origin: "+tt.origin)
		if got := response.Header.Get("Access-Control-Allow-Origin"); got != tt.allowed || response.StatusCode != tt.status {
			t.Errorf("%s: %d, allowed %q, want %d, %q", tt.name, response.StatusCode, got, tt.status, tt.allowed)
		}
		exposed := response.Header.Get("Access-Control-Expose-Headers")
		if (exposed == "ETag, Location") != (tt.allowed != "") {
			t.Errorf("%s: exposes %q", tt.name, exposed)
		}
	}
	header := a.ask("OPTIONS", "/.groups/board", "", "", "Origin: "+friend).Header
	if got := header.Get("Access-Control-Allow-Methods"); got != "OPTIONS, GET, HEAD, PUT, DELETE" {
		t.Errorf("methods %q", got)
	}
	if got := header.Get("Access-Control-Allow-Headers"); got != "Authorization, Content-Type, If-Match, If-None-Match" {
		t.Errorf("headers %q", got)
	}
}

func TestAPIWithoutStatistics(t *testing.T) {
	t.Parallel()
	a := newAdmin(t, func(o *Options) { o.Stats = nil })
	if got := a.ask("GET", "/.stats", "root:root's", "").StatusCode; got != 404 {
		t.Errorf("GET /.stats = %d, want 404", got)
	}
}

func TestEntityTags(t *testing.T) {
	t.Parallel()
	tests := []struct {
		value string
		want  []string
	}{
		{"", nil},
		{" , ,", nil},
		{"*", []string{"*"}},
		{`"a"`, []string{`"a"`}},
		{`"a,b" , W/"c","d"`, []string{`"a,b"`, `W/"c"`, `"d"`}},
		{`"a"x, y`, []string{`"a"`, "x", "y"}},
		{`"a`, []string{`"a`}},
		{"W/", []string{"W/"}},
	}
	for _, tt := range tests {
		if got := entityTags([]string{tt.value}); !slices.Equal(got, tt.want) {
			t.Errorf("entityTags(%q) = %q, want %q", tt.value, got, tt.want)
		}
	}
}

// Whatever the headers are, taking lists of tags apart ends, and loses no tag
// that was put in.
func FuzzEntityTags(f *testing.F) {
	f.Add(`"a", W/"b"`, "x")
	f.Fuzz(func(t *testing.T, rubbish, tag string) {
		for _, tag := range entityTags([]string{rubbish}) {
			if tag == "" {
				t.Errorf("an empty tag in %q", rubbish)
			}
		}
		if strings.ContainsAny(tag, `"`) {
			return
		}
		quoted := `"` + tag + `"`
		if got := entityTags([]string{rubbish, quoted + ` , "z"`}); !slices.Contains(got, quoted) || !slices.Contains(got, `"z"`) {
			t.Errorf("entityTags lost %q among %q", quoted, got)
		}
	})
}

// Whatever the path is, it is taken apart into names that are in it, and its
// shape tells how.
func FuzzParseTarget(f *testing.F) {
	for _, e := range endpoints() {
		f.Add("/" + e.path)
	}
	f.Add("/.groups/a/b/.users/c/d/.password")
	f.Fuzz(func(t *testing.T, path string) {
		got := parseTarget(path)
		if strings.Contains(got.group+got.user+got.token, "/.") {
			t.Errorf("parseTarget(%q) = %+v, with a keyword in a name", path, got)
		}
		for _, name := range []string{got.group, got.user, got.token} {
			if !strings.Contains(path, name) {
				t.Errorf("parseTarget(%q) = %+v, with a name from nowhere", path, got)
			}
		}
		if got.shape != "" && strings.Count(got.shape, "/.") != strings.Count(path, "/.") {
			t.Errorf("parseTarget(%q) = %+v", path, got)
		}
	})
}
