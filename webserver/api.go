package webserver

import (
	"net/http"
	"slices"
	"strings"
)

const (
	apiPrefix = "/galene-api/v0"

	// apiRealm is also that of statistics: administrators have one password for
	// all of the server, and browsers need not ask for it twice.
	apiRealm = "/galene-api/"
)

// rule says who may use an endpoint of the API. Whoever administers the server
// may use all of them.
type rule int

const (
	serverAdmin rule = iota // administrators of the server
	groupAdmin              // and those of the group
	selfService             // and the user who is meant, with a password of their own
)

// endpoint is a row of the API's table: one kind of object.
type endpoint struct {
	path string // below apiPrefix; GROUP, USER and TOKEN stand for names
	rule rule
	// find returns the object, or what is missing above it. It is nil if there
	// is only one, without entity tag, of which nothing can be said.
	find    func(*call) (resource, error)
	methods []method
}

// resource is what an endpoint is about, and what GET replies with.
type resource struct {
	version
	value any
}

// method is what can be done with an object.
type method struct {
	name        string
	conditional bool   // preconditions are looked at
	mediaType   string // of the request's body; empty if it has none
	run         func(*call) error
}

// Media types of requests.
const (
	typeJSON = "application/json"
	typeKeys = "application/jwk-set+json"
	typeText = "text/plain"
)

// endpoints is the API. GET brings HEAD with it, and OPTIONS is everywhere.
func endpoints() []endpoint {
	get := method{"GET", true, "", (*call).reply}
	look := method{"GET", false, "", (*call).reply} // at what has no tag
	user := []method{
		get,
		{"PUT", true, typeJSON, (*call).putUser},
		{"DELETE", true, "", (*call).deleteUser},
	}
	password := []method{
		{"PUT", false, typeJSON, (*call).putPassword},
		{"POST", false, typeText, (*call).postPassword},
		{"DELETE", false, "", (*call).deletePassword},
	}
	tokens := []method{get, {"POST", false, typeJSON, (*call).postToken}}
	token := []method{
		get,
		{"PUT", true, typeJSON, (*call).putToken},
		{"DELETE", true, "", (*call).deleteToken},
	}
	return []endpoint{
		{".stats", serverAdmin, (*call).findStats, []method{look}},
		{".groups", serverAdmin, (*call).findGroups, []method{look}},
		{".groups/", serverAdmin, (*call).findGroups, []method{look}},
		{".groups/GROUP", groupAdmin, (*call).findGroup, []method{
			get,
			{"PUT", true, typeJSON, (*call).putGroup},
			{"DELETE", true, "", (*call).deleteGroup},
		}},
		{".groups/GROUP/.keys", groupAdmin, (*call).findKeys, []method{
			{"PUT", false, typeKeys, (*call).putKeys},
			{"DELETE", false, "", (*call).deleteKeys},
		}},
		{".groups/GROUP/.users/", groupAdmin, (*call).findUsers, []method{get}},
		{".groups/GROUP/.users/USER", groupAdmin, (*call).findUser, user},
		{".groups/GROUP/.users/USER/.password", selfService, (*call).findUser, password},
		{".groups/GROUP/.empty-user", groupAdmin, (*call).findUser, user},
		{".groups/GROUP/.empty-user/.password", groupAdmin, (*call).findUser, password},
		{".groups/GROUP/.wildcard-user", groupAdmin, (*call).findUser, user},
		{".groups/GROUP/.wildcard-user/.password", groupAdmin, (*call).findUser, password},
		{".groups/GROUP/.tokens/", groupAdmin, (*call).findTokens, tokens},
		{".groups/GROUP/.tokens/TOKEN", groupAdmin, (*call).findToken, token},
		{".groups/.tokens/", serverAdmin, (*call).findTokens, tokens},
		{".groups/.tokens/TOKEN", serverAdmin, (*call).findToken, token},
	}
}

// newAPI makes the table ready for look-ups by shape.
func newAPI(table []endpoint) map[string]*endpoint {
	api := make(map[string]*endpoint, len(table))
	for i, e := range table {
		api[parseTarget("/"+e.path).shape] = &table[i]
	}
	return api
}

// method returns what the endpoint does for a request's method, nil for
// nothing.
func (e *endpoint) method(name string) *method {
	if name == http.MethodHead {
		name = http.MethodGet
	}
	i := slices.IndexFunc(e.methods, func(m method) bool { return m.name == name })
	if i < 0 {
		return nil
	}
	return &e.methods[i]
}

// allow lists the methods of the endpoint, for the header of that name.
func (e *endpoint) allow() string {
	names := []string{"OPTIONS"}
	for _, m := range e.methods {
		names = append(names, m.name)
		if m.name == http.MethodGet {
			names = append(names, http.MethodHead)
		}
	}
	return strings.Join(names, ", ")
}

// target is what a path of the API is about.
type target struct {
	shape              string // the path with a star for each name
	group, user, token string // empty if not there
	wildcard           bool   // the wildcard user is meant
}

// parseTarget takes a path apart, which starts after apiPrefix. Segments that
// start with a dot are keywords, and what is between them are names, which may
// contain slashes.
func parseTarget(path string) target {
	var t target
	words := strings.Split(path, "/.")
	if words[0] != "" {
		return t
	}
	var shape strings.Builder
	for _, word := range words[1:] {
		keyword, name, slash := strings.Cut(word, "/")
		shape.WriteString("/." + keyword)
		if slash {
			shape.WriteString("/")
		}
		if name != "" {
			shape.WriteString("*")
		}
		switch keyword {
		case "groups":
			t.group = strings.TrimSuffix(name, "/")
		case "users":
			t.user = name
		case "tokens":
			t.token = name
		case "wildcard-user":
			t.wildcard = true
		}
	}
	t.shape = shape.String()
	return t
}

// inGroups reports whether t is about groups, so that nobody but an
// administrator is told whether it exists.
func (t target) inGroups() bool {
	return t.shape == "/.groups" || strings.HasPrefix(t.shape, "/.groups/")
}
