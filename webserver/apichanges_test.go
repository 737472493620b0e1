package webserver

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Of changes that have seen the same version, one is made, and the others are
// told.
func TestOneOfManyChangesWins(t *testing.T) {
	t.Parallel()
	const many = 8
	change := func(precondition string) []string {
		return []string{"Content-Type: " + typeJSON, precondition}
	}
	tests := []struct {
		name, path, precondition string
		methods                  []string // in turn
		body                     string
		won                      []int // statuses of who may win
	}{
		{"making a group", "/.groups/new", "If-None-Match: *", []string{"PUT"}, `{}`, []int{201}},
		{"changing a group", "/.groups/board", "If-Match: TAG", []string{"PUT"}, `{"displayName": "%d"}`, []int{204}},
		{"deleting a group", "/.groups/board", "If-Match: TAG", []string{"DELETE"}, "", []int{204}},
		{"deleting a group that is changed", "/.groups/board", "If-Match: TAG", []string{"PUT", "DELETE"}, `{"displayName": "%d"}`, []int{204}},
		{"making a user", "/.groups/board/.users/eve", "If-None-Match: *", []string{"PUT"}, `{}`, []int{201}},
		{"changing a user", "/.groups/board/.users/ada", "If-Match: TAG", []string{"PUT", "DELETE"}, `{"permissions": ["%d"]}`, []int{204}},
		{"making a token", "/.groups/board/.tokens/mine", "If-None-Match: *", []string{"PUT"}, `{"expires": "2100-01-01T00:00:00Z"}`, []int{201}},
		{
			"changing a token", "/.groups/board/.tokens/" + groupToken, "If-Match: TAG",
			[]string{"PUT", "DELETE"},
			`{"expires": "210%d-01-01T00:00:00Z"}`,
			[]int{204},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAdmin(t)
			tag := a.ask("GET", tt.path, globalToken, "").Header.Get("ETag")
			headers := change(strings.ReplaceAll(tt.precondition, "TAG", tag))
			statuses := make([]int, many)
			var asking sync.WaitGroup
			for i := range many {
				asking.Go(func() {
					text := tt.body
					if strings.Contains(text, "%d") {
						text = fmt.Sprintf(text, i)
					}
					one := &admin{fixture: a.fixture, t: t, requests: 100 * (i + 1)} // with addresses of its own
					statuses[i] = one.ask(tt.methods[i%len(tt.methods)], tt.path, globalToken, text, headers...).StatusCode
				})
			}
			asking.Wait()
			winners := 0
			for _, status := range statuses {
				switch {
				case slices.Contains(tt.won, status):
					winners++
				case status != 412 && (status != 404 || !slices.Contains(tt.methods, "DELETE")):
					t.Errorf("a change gets the status %d, want 412", status)
				}
			}
			if winners != 1 {
				t.Errorf("%d changes were made, want one: %v", winners, statuses)
			}
		})
	}
}

func TestPreconditionsAreCombined(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	tag := a.ask("GET", "/.groups/board", globalToken, "").Header.Get("ETag")
	tests := []struct {
		method  string
		headers []string
		want    int
	}{
		{"GET", []string{`If-Match: "other"`, "If-Match: " + tag}, 200},
		{"GET", []string{"If-Match: " + tag, `If-None-Match: "other"`}, 200},
		{"GET", []string{"If-Match: " + tag, "If-None-Match: " + tag}, 304},
		{"HEAD", []string{`If-None-Match: "other", W/"weak", ` + tag}, 304},
		{"GET", []string{`If-Match: "other"`, "If-None-Match: " + tag}, 412},
		{"PUT", []string{"If-Match: " + tag, "If-None-Match: " + tag}, 412},
		{"PUT", []string{"If-Match: *", "If-None-Match: *"}, 412},
		{"PUT", []string{"If-Match: ," + tag + ",", `If-None-Match: "other"`}, 204},
	}
	for _, tt := range tests {
		headers := append([]string{"Content-Type: " + typeJSON}, tt.headers...)
		if got := a.ask(tt.method, "/.groups/board", globalToken, "{}", headers...).StatusCode; got != tt.want {
			t.Errorf("%s with %q: status %d, want %d", tt.method, tt.headers, got, tt.want)
		}
	}
}

// Whatever field cannot be used is named, and nothing is changed.
func TestRefusalsNameTheField(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	before := a.definition("board")
	tests := map[string]struct {
		mediaType string
		fields    []string
	}{
		"PUT /.groups/board": {typeJSON, []string{
			"displayName", "description", "contact", "comment", "public", "redirect", "max-clients", "max-history-age",
			"not-before", "expires", "allow-recording", "allow-anonymous", "unrestricted-tokens", "auto-subgroups", "autolock",
			"autokick", "authServer", "authPortal", "codecs", "users", "wildcard-user", "fallback-users", "authKeys", "invented",
		}},
		"PUT /.groups/board/.users/ada":            {typeJSON, []string{"permissions", "password", "invented"}},
		"PUT /.groups/board/.wildcard-user":        {typeJSON, []string{"permissions", "password", "invented"}},
		"PUT /.groups/board/.users/ada/.password":  {typeJSON, []string{"type", "key", "hash", "salt", "iterations"}},
		"PUT /.groups/board/.keys":                 {typeKeys, []string{"invented"}},
		"PUT /.groups/board/.tokens/" + groupToken: {typeJSON, tokenFields()},
		"POST /.groups/board/.tokens/":             {typeJSON, tokenFields()},
		"POST /.groups/.tokens/":                   {typeJSON, tokenFields()},
	}
	for request, tt := range tests {
		method, path, _ := strings.Cut(request, " ")
		for _, field := range tt.fields {
			text := fmt.Sprintf(`{"%s": [{"no": "such"}]}`, field)
			response := a.ask(method, path, globalToken, text, "Content-Type: "+tt.mediaType)
			if got := body(t, response); response.StatusCode != 400 || !strings.Contains(got, field) {
				t.Errorf("%s with %s: %d %q, want 400 with the name of the field", request, text, response.StatusCode, got)
			}
		}
	}
	if after := a.definition("board"); after != before {
		t.Errorf("the definition is now %s", after)
	}
}

func tokenFields() []string {
	return []string{"username", "permissions", "expires", "not-before", "includeSubgroups", "issuedAt", "issuedBy", "token", "group", "invented"}
}

// Whoever asks for groups that nobody has entered leaves nothing behind.
func TestAskingForGroupsMakesNone(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	for i := range 100 {
		name := fmt.Sprintf("board/below-%d", i)
		for path, status := range map[string]int{
			"/group/" + name + "/":                       200,
			"/group/" + name:                             308,
			"/group/" + name + "/.status":                200,
			apiPrefix + "/.groups/" + name:               404,
			apiPrefix + "/.groups/" + name + "/.users/":  200,
			apiPrefix + "/.groups/" + name + "/.tokens/": 200,
		} {
			if got := a.fetch("GET", path, globalToken, "").StatusCode; got != status {
				t.Fatalf("GET %s: %d, want %d", path, got, status)
			}
		}
	}
	if groups := a.registry.Groups(); len(groups) != 0 {
		t.Errorf("there are %d groups in memory", len(groups))
	}
}
