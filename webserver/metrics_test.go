package webserver

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
)

// asScraper is the header of a request with a name and a password.
func asScraper(username, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(username+":"+password))
}

func TestMetricsAreForAdministrators(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(o *Options) {
		o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "metrics") })
	})
	if err := json.Unmarshal([]byte(`{"users":{
		"root":{"password":"secret","permissions":"admin"},
		"op":{"password":"secret","permissions":"op"}}}`), &f.settings); err != nil {
		t.Fatal(err)
	}
	const challenge = `WWW-Authenticate: basic realm="galene"`
	f.check(t, []exchange{
		{"nobody", "GET", "/metrics", nil, 401, []string{challenge}, "not authorised\n"},
		{"an administrator", "GET", "/metrics", []string{asScraper("root", "secret")}, 200, []string{"Cache-Control: no-cache"}, "metrics"},
		{"a bad password", "GET", "/metrics", []string{asScraper("root", "wrong")}, 401, []string{challenge}, "*"},
		{"no administrator", "GET", "/metrics", []string{asScraper("op", "secret")}, 401, []string{challenge}, "*"},
		{"a bad token", "GET", "/metrics", []string{"Authorization: Bearer none"}, 401, []string{challenge}, "*"},
		{"a token of no form", "GET", "/metrics", []string{"Authorization: Bearer"}, 401, []string{challenge}, "*"},
		{"another method", "POST", "/metrics", []string{asScraper("root", "secret")}, 405, []string{"Allow: GET, HEAD"}, "*"},
	})
}

func TestThereAreNoMetricsUnlessSomebodyKeepsThem(t *testing.T) {
	t.Parallel()
	newFixture(t, nil).check(t, []exchange{
		{"nobody keeps them", "GET", "/metrics", nil, 404, nil, "nothing here"},
	})
}
