package main

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCredentialsAreForOneServer(t *testing.T) {
	t.Parallel()
	const (
		home  = "https://meet.example.org"
		other = "https://evil.example.org"
	)
	tests := []struct {
		name   string
		stored string
		server string // -server
		given  credentials
		want   credentials
		err    string // part of it
	}{
		{"all stored, a token wins", `{"server":"` + home + `","admin-username":"u","admin-password":"p","admin-token":"t"}`, "", credentials{}, credentials{token: "t"}, ""},
		{"name and password stored", `{"server":"` + home + `","admin-username":"u","admin-password":"p"}`, "", credentials{}, credentials{"u", "p", ""}, ""},
		{"name and password win over a stored token", `{"admin-token":"t"}`, "", credentials{"x", "y", ""}, credentials{"x", "y", ""}, ""},
		{"a token wins over name and password", `{"admin-username":"u","admin-password":"p"}`, "", credentials{token: "x"}, credentials{token: "x"}, ""},
		{"a token wins over the others of the command line", `{}`, "", credentials{"x", "y", "z"}, credentials{token: "z"}, ""},
		{"the stored name's password", `{"admin-username":"u","admin-password":"p","admin-token":"t"}`, "", credentials{username: "u"}, credentials{"u", "p", ""}, ""},
		{"no password of another name", `{"admin-username":"u","admin-password":"p"}`, "", credentials{username: "x"}, credentials{}, "no terminal"},
		{"another password of the stored name", `{"admin-username":"u","admin-password":"p"}`, "", credentials{password: "y"}, credentials{"u", "y", ""}, ""},
		{"a password of nobody", `{"admin-token":"t"}`, "", credentials{password: "y"}, credentials{}, "-admin-username"},
		{"no password at all", `{"admin-username":"u"}`, "", credentials{}, credentials{}, "no terminal"},
		{"a name with a colon", `{}`, "", credentials{"u:v", "p", ""}, credentials{}, "colon"},
		{"nothing", `{}`, other, credentials{}, credentials{}, ""},
		{"the same server", `{"server":"` + home + `","admin-token":"t"}`, "https://MEET.example.org:443/path/", credentials{}, credentials{token: "t"}, ""},
		{"another server", `{"server":"` + home + `","admin-token":"t"}`, other, credentials{}, credentials{}, "are not sent to " + other},
		{"another port", `{"server":"` + home + `","admin-token":"t"}`, home + ":8443", credentials{}, credentials{}, "are not sent to"},
		{"without encryption", `{"server":"` + home + `","admin-token":"t"}`, "http://meet.example.org:443", credentials{}, credentials{}, "are not sent to"},
		{"stored without a server", `{"admin-token":"t"}`, other, credentials{}, credentials{}, "are for " + defaultServer},
		{"stored without a server, the default one", `{"admin-token":"t"}`, defaultServer, credentials{}, credentials{token: "t"}, ""},
		{"another server's own", `{"server":"` + home + `","admin-token":"t"}`, other, credentials{"x", "y", ""}, credentials{"x", "y", ""}, ""},
		{"no stored password for another server", `{"server":"` + home + `","admin-username":"u","admin-password":"p"}`, other, credentials{username: "u"}, credentials{}, "no terminal"},
		{"no stored name for another server", `{"server":"` + home + `","admin-username":"u","admin-password":"p"}`, other, credentials{password: "y"}, credentials{}, "-admin-username"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := &environment{stdin: nothing(t), global: globalFlags{
				config: filepath.Join(t.TempDir(), "galenectl.json"), server: tt.server, given: tt.given,
			}}
			if err := os.WriteFile(e.global.config, []byte(tt.stored), 0o600); err != nil {
				t.Fatal(err)
			}
			stored, err := e.global.stored()
			if err != nil {
				t.Fatal(err)
			}
			base, err := e.global.address(stored)
			if err != nil {
				t.Fatal(err)
			}
			got, err := e.credentials(t.Context(), base, stored)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("credentials() = %+v, %v, want an error about %q", got, err, tt.err)
				}
				return
			}
			if got != tt.want || err != nil {
				t.Errorf("credentials() = %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}

// nothing returns an input that is no terminal and at its end.
func nothing(t *testing.T) *os.File {
	t.Helper()
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

func TestOriginsAreComparedWhole(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"https://a.example:443/x", "https://a.example"},
		{"https://A.Example", "https://a.example"},
		{"https://a.example:8443", "https://a.example:8443"},
		{"http://a.example:80", "http://a.example"},
		{"http://a.example:443", "http://a.example:443"},
		{"https://[::1]:443", "https://[::1]"},
		{"https://[::1]:8443", "https://[::1]:8443"},
	}
	for _, tt := range tests {
		u, err := url.Parse(tt.in)
		if err != nil {
			t.Fatal(err)
		}
		if got := origin(u); got != tt.want {
			t.Errorf("origin(%s) = %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestOnlyThisMachineIsLoopback(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST": true, "a.localhost": true, "127.0.0.1": true, "127.9.9.9": true, "::1": true,
		"localhost.example.org": false, "notlocalhost": false, "10.0.0.1": false, "128.0.0.1": false, "": false,
	} {
		if got := isLoopback(host); got != want {
			t.Errorf("isLoopback(%q) = %t, want %t", host, got, want)
		}
	}
}
