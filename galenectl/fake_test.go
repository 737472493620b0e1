package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// fake is an API that keeps what it is given in memory and notes each request. Below some paths it misbehaves; see ServeHTTP.
type fake struct {
	server, tls, elsewhere *httptest.Server

	mu      sync.Mutex // guards the following
	log     []string
	version int // counts changes
	objects map[string]fakeObject
}

// fakeObject is anything that has a path.
type fakeObject struct {
	value object
	tag   string
}

func startFake(env *testscript.Env) *fake {
	f := &fake{objects: make(map[string]fakeObject)}
	f.server = httptest.NewServer(f)
	f.tls = httptest.NewUnstartedServer(f)
	f.tls.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that do not trust it
	f.tls.StartTLS()
	f.elsewhere = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.note(r, nil, "elsewhere ")
		http.Error(w, "caught", http.StatusTeapot)
	}))
	env.Defer(f.server.Close)
	env.Defer(f.tls.Close)
	env.Defer(f.elsewhere.Close)
	return f
}

// note keeps what matters of a request.
func (f *fake) note(r *http.Request, body []byte, where string) {
	line := where + r.Method + " " + r.URL.EscapedPath()
	for _, name := range []string{"Authorization", "Content-Type", "If-Match", "If-None-Match"} {
		if value := r.Header.Get(name); value != "" {
			line += " " + name + "=" + value
		}
	}
	if len(body) > 0 {
		line += " " + string(body)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, line)
}

func (f *fake) takeLog() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	lines := f.log
	f.log = nil
	return lines
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	f.note(r, body, "")
	before, path, found := strings.Cut(r.URL.Path, apiPath)
	switch {
	case !found:
		http.NotFound(w, r)
	case before == "/redirect":
		http.Redirect(w, r, f.elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
	case before == "/moved":
		http.Redirect(w, r, apiPath+path, http.StatusTemporaryRedirect)
	case before == "/html":
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, "<html>not for people</html>")
	case before == "/garbage":
		_, _ = io.WriteString(w, "hello")
	case before == "/busy":
		http.Error(w, "too much to do\nsecond line", http.StatusServiceUnavailable)
	case before == "/terminal":
		http.Error(w, "\x1b[31mred", http.StatusBadRequest)
	case before == "/readonly" && r.Method != http.MethodGet:
		http.Error(w, "the configuration does not allow changes", http.StatusForbidden)
	case before == "/untagged":
		_, _ = io.WriteString(w, "{}")
	case before == "/nameless":
		w.WriteHeader(http.StatusCreated)
	case before == "/odd" && strings.HasSuffix(path, "/"):
		_, _ = io.WriteString(w, `[".hidden", "bob", "red\u001b[31m"]`)
	case before == "/odd" && strings.HasSuffix(path, "/bob"):
		_, _ = io.WriteString(w, `{}`)
	case before == "/cut":
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "[")
	case !f.authorised(r):
		w.Header().Set("WWW-Authenticate", `basic realm="/galene-api/"`)
		http.Error(w, "not authorised", http.StatusUnauthorized)
	default:
		f.serve(w, r, path, body, before == "/changing")
	}
}

func (f *fake) authorised(r *http.Request) bool {
	name, password, _ := r.BasicAuth()
	return name == adminName && password == adminPassword || r.Header.Get("Authorization") == "Bearer "+adminToken
}

// serve does what a request asks for. If changing is set, everything changes all the time.
func (f *fake) serve(w http.ResponseWriter, r *http.Request, path string, body []byte, changing bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Method != http.MethodGet && r.Method != http.MethodDelete && r.Header.Get("Content-Type") != "application/json" {
		http.Error(w, "the body has to be application/json", http.StatusUnsupportedMediaType)
		return
	}
	if above, word, ok := cutLast(path, "/."); ok && above != "" && above != "/.groups" && word != "" {
		if _, exists := f.objects[above]; !exists {
			http.Error(w, "not found", http.StatusNotFound)
			return
		}
	}
	switch {
	case strings.HasSuffix(path, "/") && r.Method == http.MethodPost:
		f.version++
		name := fmt.Sprintf("made-by-this-fake-%d", f.version)
		f.put(w, path+name, body)
		return
	case strings.HasSuffix(path, "/"):
		f.list(w, path)
		return
	}
	old, exists := f.objects[path]
	if changing && exists && r.Method == http.MethodPut {
		f.version++
		old.tag = f.tag()
	}
	match, none := r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
	switch {
	case match != "" && match != old.tag, none == "*" && exists:
		http.Error(w, "precondition failed", http.StatusPreconditionFailed)
	case strings.HasSuffix(path, "/.password"):
		f.password(w, r)
	case !exists && r.Method != http.MethodPut:
		http.Error(w, "not found", http.StatusNotFound)
	case r.Method == http.MethodGet:
		w.Header().Set("ETag", old.tag)
		_ = json.NewEncoder(w).Encode(old.value)
	case r.Method == http.MethodPut:
		f.put(w, path, body)
	case r.Method == http.MethodDelete:
		delete(f.objects, path)
		w.WriteHeader(http.StatusNoContent)
	}
}

// tag returns a new entity tag. The caller holds mu.
func (f *fake) tag() string { return fmt.Sprintf(`"v%d"`, f.version) }

// put makes body the object at path. The caller holds mu.
func (f *fake) put(w http.ResponseWriter, path string, body []byte) {
	var value object
	if err := json.Unmarshal(body, &value); err != nil {
		http.Error(w, "not a JSON object", http.StatusBadRequest)
		return
	}
	if strings.Contains(path, "/.tokens/") && (value["token"] != nil || value["group"] != nil) {
		http.Error(w, "token: the address says which", http.StatusBadRequest)
		return
	}
	if string(value["permissions"]) == `"nonsense"` {
		http.Error(w, `field "permissions": unknown permission "nonsense"`, http.StatusBadRequest)
		return
	}
	_, exists := f.objects[path]
	f.version++
	f.objects[path] = fakeObject{value, f.tag()}
	if _, name, ok := cutLast(path, "/.tokens/"); ok {
		w.Header().Set("Location", name)
	}
	if exists {
		w.WriteHeader(http.StatusNoContent)
	} else {
		w.WriteHeader(http.StatusCreated)
	}
}

// list lists the names below path. The caller holds mu.
func (f *fake) list(w http.ResponseWriter, path string) {
	names := []string{}
	for _, p := range slices.Backward(slices.Sorted(maps.Keys(f.objects))) {
		name, below := strings.CutPrefix(p, path)
		if below && !strings.Contains(name, "/.") && !strings.HasPrefix(name, ".") {
			names = append(names, name)
		}
	}
	if user, ok := strings.CutSuffix(path, "/.users/"); ok {
		if _, exists := f.objects[user+"/.empty-user"]; exists {
			names = append(names, "")
		}
	}
	_ = json.NewEncoder(w).Encode(names)
}

// password answers for a user's password, of a user that exists. The caller holds mu.
func (f *fake) password(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodPut, http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	default:
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	}
}

// cutLast cuts text around the last separator.
func cutLast(text, separator string) (before, after string, found bool) {
	i := strings.LastIndex(text, separator)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(separator):], true
}
