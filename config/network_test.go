package config

import (
	"encoding/json"
	"net/netip"
	"testing"
)

func TestTrusts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		networks, peer string
		want           bool
	}{
		{`[]`, "127.0.0.1", false},
		{`["127.0.0.1"]`, "127.0.0.1", true},
		{`["127.0.0.1"]`, "::ffff:127.0.0.1", true},
		{`["::ffff:127.0.0.1"]`, "127.0.0.1", true},
		{`["127.0.0.1"]`, "127.0.0.2", false},
		{`["10.1.2.3/8"]`, "10.200.0.1", true},
		{`["10.1.2.3/8"]`, "11.0.0.1", false},
		{`["2001:db8::/32", "::1"]`, "::1", true},
		{`["fe80::/10"]`, "fe80::1%eth0", true},
		{`["0.0.0.0/0"]`, "2001:db8::1", false},
		{`["0.0.0.0/0", "::/0"]`, "", false},
		{`["unix"]`, "", true},
		{`["unix"]`, "127.0.0.1", false},
	}
	for _, tt := range tests {
		var s Settings
		if err := json.Unmarshal([]byte(tt.networks), &s.TrustedProxies); err != nil {
			t.Fatal(err)
		}
		peer, _ := netip.ParseAddr(tt.peer) // the zero address if there is none
		if got := s.Trusts(peer); got != tt.want {
			t.Errorf("%s trusts %q: %v, want %v", tt.networks, tt.peer, got, tt.want)
		}
		written, err := json.Marshal(s.TrustedProxies)
		var again Settings
		if err != nil || json.Unmarshal(written, &again.TrustedProxies) != nil || again.Trusts(peer) != tt.want {
			t.Errorf("%s written as %s, %v", tt.networks, written, err)
		}
	}
}

func TestSettingsOfTheDoorAreChecked(t *testing.T) {
	t.Parallel()
	tests := []struct {
		file string
		ok   bool
	}{
		{`{"trustedProxies": ["127.0.0.1", "10.0.0.0/8", "unix"], "proxyProtocol": true}`, true},
		{`{"trustedProxies": ["localhost"]}`, false},
		{`{"trustedProxies": [""]}`, false},
		{`{"trustedProxies": ["10.0.0.0/33"]}`, false},
		{`{"proxyProtocol": true}`, false},
		{`{"acme": {"hosts": ["meet.example.org"], "email": "me@example.org"}}`, true},
		{`{"acme": {"hosts": ["meet.example.org"], "directory": "https://ca.example.org/dir"}}`, true},
		{`{"acme": {}}`, false},
		{`{"acme": {"hosts": []}}`, false},
		{`{"acme": {"hosts": ["localhost"]}}`, false},
		{`{"acme": {"hosts": ["192.0.2.1"]}}`, false},
		{`{"acme": {"hosts": ["meet.example.org:8443"]}}`, false},
		{`{"acme": {"hosts": ["https://meet.example.org/"]}}`, false},
		{`{"acme": {"hosts": ["meet.example.org"], "directory": "http://ca.example.org/"}}`, false},
		{`{"acme": {"host": ["meet.example.org"]}}`, false},
	}
	for _, tt := range tests {
		var s Settings
		err := Decode("config.json", []byte(tt.file), &s)
		if err == nil {
			err = s.validate()
		}
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.file, err)
		}
	}
}
