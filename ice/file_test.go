package ice

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// at is when the tests take place.
var at = time.Unix(1700000000, 0)

// handedOut is what a client gets of a file, as JSON.
func handedOut(t *testing.T, data string) (servers string, skipped int, err error) {
	t.Helper()
	entries, left, err := parse("ice-servers.json", []byte(data))
	if err != nil {
		return "", len(left), err
	}
	list := []Server{}
	for _, e := range entries {
		list = append(list, e.server(at))
	}
	b, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), len(left), nil
}

func TestFileIsHandedOutAsBrowsersWantIt(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, data, want string
		skipped          int
	}{
		{"no servers", `[]`, `[]`, 0},
		{"several urls", `[{"urls":["stun:a.example","stun:b.example:3478"]}]`, `[{"urls":["stun:a.example","stun:b.example:3478"]}]`, 0},
		{"urls as a string", `[{"urls":"stun:a.example"}]`, `[{"urls":["stun:a.example"]}]`, 0},
		{
			"a password", `[{"urls":["turn:a.example"],"username":"u","credential":"p"}]`,
			`[{"urls":["turn:a.example"],"username":"u","credential":"p","credentialType":"password"}]`, 0,
		},
		{
			"a password by its name", `[{"urls":["turns:a.example?transport=tcp"],"username":"u","credential":"p","credentialType":"password"}]`,
			`[{"urls":["turns:a.example?transport=tcp"],"username":"u","credential":"p","credentialType":"password"}]`, 0,
		},
		{
			"oauth is passed through",
			`[{"urls":["turn:a.example"],"username":"u","credential":{"macKey":"k","accessToken":"t"},"credentialType":"oauth"}]`,
			`[{"urls":["turn:a.example"],"username":"u","credential":{"macKey":"k","accessToken":"t"},"credentialType":"oauth"}]`, 0,
		},
		// The passwords of hmac-sha1 were computed with another implementation.
		{
			"a shared secret", `[{"urls":["turn:a.example"],"credential":"north","credentialType":"hmac-sha1"}]`,
			`[{"urls":["turn:a.example"],"username":"1700086400","credential":"K+RlgFj3QLvB7WAVHfjfgMgyBeA=","credentialType":"password"}]`, 0,
		},
		{
			"a shared secret and a name", `[{"urls":["turn:a.example"],"username":"bob","credential":"north","credentialType":"hmac-sha1"}]`,
			`[{"urls":["turn:a.example"],"username":"1700086400:bob","credential":"mFK3TSYItFoadZuSBcL1B0+kjkI=","credentialType":"password"}]`, 0,
		},
		{
			"unknown types are skipped", `[{"urls":"stun:a.example","credentialType":"magic"},{"urls":"stun:b.example"}]`,
			`[{"urls":["stun:b.example"]}]`, 1,
		},
		{"unknown fields are ignored", `[{"urls":"stun:a.example","comment":{"x":1}}]`, `[{"urls":["stun:a.example"]}]`, 0},
		{"null credential", `[{"urls":"stun:a.example","credential":null}]`, `[{"urls":["stun:a.example"]}]`, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, skipped, err := handedOut(t, tt.data)
			if err != nil || got != tt.want || skipped != tt.skipped {
				t.Errorf("file %s gives %s, %d skipped, %v,\nwant %s, %d", tt.data, got, skipped, err, tt.want, tt.skipped)
			}
		})
	}
}

func TestFileMistakesAreExplained(t *testing.T) {
	t.Parallel()
	many := make([]string, maxServers+1)
	for i := range many {
		many[i] = fmt.Sprintf(`{"urls":"stun:%d.example"}`, i)
	}
	tests := []struct {
		name, data, mention string
	}{
		{"empty", ``, "ice-servers.json:1"},
		{"cut", "[\n{", "ice-servers.json:2"},
		{"an object", `{"urls":"stun:a.example"}`, "object"},
		{"an element that is no object", `[{"urls":"stun:a.example"}, 5]`, "server 2"},
		{"no urls", `[{"username":"u"}]`, "urls"},
		{"urls of a wrong type", `[{"urls":5}]`, "urls"},
		{"urls with a wrong element", `[{"urls":["stun:a.example",5]}]`, "urls"},
		{"a URL of another scheme", `[{"urls":"https://a.example"}]`, "https://a.example"},
		{"a URL without a host", `[{"urls":"stun:"}]`, "stun:"},
		{"turn without credentials", `[{"urls":"turn:a.example"}]`, "username"},
		{"turn without a password", `[{"urls":"turn:a.example","username":"u"}]`, "credential"},
		{"no secret", `[{"urls":"turn:a.example","credentialType":"hmac-sha1"}]`, "secret"},
		{"a secret that is no string", `[{"urls":"turn:a.example","credential":5,"credentialType":"hmac-sha1"}]`, "secret"},
		{"too many servers", "[" + strings.Join(many, ",") + "]", "more than"},
		{"too many urls", `[{"urls":[` + strings.Repeat(`"stun:a.example",`, maxServerURLs) + `"stun:a.example"]}]`, "urls"},
		{"a long name", `[{"urls":"stun:a.example","username":"` + strings.Repeat("x", maxServerStrings+1) + `"}]`, "longer"},
		{"a long URL", `[{"urls":"stun:` + strings.Repeat("x", maxServerStrings) + `"}]`, "longer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, _, err := handedOut(t, tt.data)
			if err == nil || !strings.Contains(err.Error(), tt.mention) || !strings.Contains(err.Error(), "ice-servers.json") {
				t.Errorf("file %.200s gives %s, %v, want an error that mentions the file and %q", tt.data, got, err, tt.mention)
			}
		})
	}
}

// Whatever the file holds, parse returns either an error or servers that can be
// marshalled for clients, within bounds.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`[{"urls":["turn:a.example"],"username":"bob","credential":"north","credentialType":"hmac-sha1"}]`))
	f.Add([]byte(`[{"urls":"stun:a.example","credential":null},{"credentialType":"x"}]`))
	f.Add([]byte(`[null]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, skipped, err := parse("f", data)
		if err != nil {
			return
		}
		if len(entries)+len(skipped) > maxServers {
			t.Errorf("%d servers, want at most %d", len(entries), maxServers)
		}
		var servers []Server
		for _, e := range entries {
			servers = append(servers, e.server(at))
		}
		if _, err := json.Marshal(Configuration{Servers: servers}); err != nil {
			t.Errorf("marshal %+v: %v", servers, err)
		}
		if got := toPion(servers); len(got) > len(servers) {
			t.Errorf("%d servers became %d", len(servers), len(got))
		}
	})
}
