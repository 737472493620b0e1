package signalling

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

const (
	clientUfrag    = "EsAw"
	clientPassword = "P2uYro0UCOQ4zxjKXaWCBui1"
	hostCandidate  = "candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1"
)

// offerSDP is a description as far as fragments concern it.
var offerSDP = strings.Join([]string{
	"v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0 1", "a=ice-options:trickle",
	"m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:0", "a=ice-ufrag:" + clientUfrag, "a=ice-pwd:" + clientPassword, "a=" + hostCandidate, "a=sendonly",
	"m=video 9 UDP/TLS/RTP/SAVPF 96", "a=mid:1", "a=ice-ufrag:" + clientUfrag, "a=ice-pwd:" + clientPassword, "a=end-of-candidates", "a=sendonly",
}, "\r\n") + "\r\n"

func TestFragmentsAreReadWhereverThingsStand(t *testing.T) {
	t.Parallel()
	type found struct {
		candidate string
		mid       string
		index     int
	}
	tests := []struct {
		name, text  string
		credentials credentials
		candidates  []found
	}{
		{
			"as RFC 9725 shows it",
			"a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\na=" +
				hostCandidate + "\r\na=end-of-candidates\r\n",
			credentials{clientUfrag, clientPassword},
			[]found{{hostCandidate, "0", 0}},
		},
		{
			"credentials of the session, candidates of the second section, and lines that end otherwise",
			"a=ice-ufrag:EsAw\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\nm=audio 9 RTP/AVP 0\na=mid:a\nm=video 9 RTP/AVP 0\na=mid:v\na=candidate:x\n\n",
			credentials{clientUfrag, clientPassword},
			[]found{{"candidate:x", "v", 1}},
		},
		{"candidates without a section", "a=candidate:x\r\na=candidate:y\r\n", credentials{}, []found{{"candidate:x", "", -1}, {"candidate:y", "", -1}}},
		{"the first credentials count", "m=a\na=ice-ufrag:one1\nm=b\na=ice-ufrag:two2\na=ice-pwd:p\n", credentials{"one1", "p"}, nil},
		{"nothing", "", credentials{}, nil},
		{"the end of candidates", "a=end-of-candidates\r\n", credentials{}, nil},
		{"lines that mean nothing here", "b=AS:5\r\na=\r\na=x\r\n", credentials{}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, err := parseFragment(tt.text)
			if err != nil {
				t.Fatalf("parseFragment(%q): %v", tt.text, err)
			}
			var got []found
			for _, c := range f.candidates {
				one := found{c.Candidate, "", -1}
				if c.SDPMid != nil {
					one.mid = *c.SDPMid
				}
				if c.SDPMLineIndex != nil {
					one.index = int(*c.SDPMLineIndex)
				}
				got = append(got, one)
			}
			if f.credentials != tt.credentials || !slices.Equal(got, tt.candidates) {
				t.Errorf("parseFragment(%q) = %+v, %+v, want %+v, %+v", tt.text, f.credentials, got, tt.credentials, tt.candidates)
			}
		})
	}
}

func TestMalformedFragmentsAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"a=mid:0\r\n", "hello", "x", "a=candidate:x\rm=y\r\n", "a=candidate:\x00\n", "{}"} {
		if f, err := parseFragment(text); err == nil {
			t.Errorf("parseFragment(%q) = %+v, want an error", text, f)
		}
	}
}

func TestOtherCredentialsRestart(t *testing.T) {
	t.Parallel()
	present := credentials{clientUfrag, clientPassword}
	other := strings.Repeat("x", 22)
	tests := []struct {
		name    string
		given   credentials
		restart bool
		wrong   bool
	}{
		{"none", credentials{}, false, false},
		{"the present ones", present, false, false},
		{"the present name alone", credentials{ufrag: clientUfrag}, false, false},
		{"the present password alone", credentials{password: clientPassword}, false, false},
		{"others", credentials{"abcd", other}, true, false},
		{"another password", credentials{clientUfrag, other}, true, false},
		{"another name without password", credentials{ufrag: "abcd"}, false, true},
		{"another password without name", credentials{password: other}, false, true},
		{"a short name", credentials{"abc", other}, false, true},
		{"a short password", credentials{"abcd", other[1:]}, false, true},
		{"a long password", credentials{"abcd", strings.Repeat("x", 257)}, false, true},
		{"what would be another attribute", credentials{"abcd efgh", other}, false, true},
	}
	for _, tt := range tests {
		f := fragment{credentials: tt.given}
		restart, err := f.restarts(present)
		if restart != tt.restart || (err != nil) != tt.wrong {
			t.Errorf("%s: restarts = %v, %v, want %v, an error %v", tt.name, restart, err, tt.restart, tt.wrong)
		}
	}
}

func TestCredentialsAreReplacedInEverySection(t *testing.T) {
	t.Parallel()
	replaced := withCredentials(offerSDP, credentials{"abcd", strings.Repeat("x", 22)})
	if n := strings.Count(replaced, "a=ice-ufrag:abcd\r\n"); n != 2 {
		t.Errorf("%d sections have the new name, want 2:\n%s", n, replaced)
	}
	for _, gone := range []string{clientUfrag, clientPassword, "candidate"} {
		if strings.Contains(replaced, gone) {
			t.Errorf("%q is still there:\n%s", gone, replaced)
		}
	}
	if got, want := strings.Count(replaced, "\r\n"), strings.Count(offerSDP, "\r\n")-2; got != want {
		t.Errorf("%d lines are left, want %d:\n%s", got, want, replaced)
	}
}

func TestFragmentOfADescriptionHasWhatARestartNeeds(t *testing.T) {
	t.Parallel()
	got := fragmentOf(offerSDP)
	f, err := parseFragment(got)
	if err != nil || f.credentials != (credentials{clientUfrag, clientPassword}) || len(f.candidates) != 1 {
		t.Errorf("the fragment is read as %+v, %v:\n%s", f, err, got)
	}
	for _, wanted := range []string{"m=audio", "m=video", "a=mid:0", "a=mid:1", "a=group:BUNDLE 0 1", "a=end-of-candidates"} {
		if !strings.Contains(got, wanted) {
			t.Errorf("%q is missing:\n%s", wanted, got)
		}
	}
	if strings.Contains(got, "sendonly") || strings.HasPrefix(got, "v=") {
		t.Errorf("there is more than ICE needs:\n%s", got)
	}
}

// Whatever a fragment says, it is refused as such or changes nothing in a
// description but credentials and candidates.
func FuzzFragment(f *testing.F) {
	f.Add(offerSDP)
	f.Add(fragmentOf(offerSDP))
	f.Add("a=ice-ufrag:abcd\r\na=ice-pwd:xxxxxxxxxxxxxxxxxxxxxx\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:x\r\n")
	f.Add("a=mid:0")
	f.Add("a=ice-pwd:\rm=")
	untouched := func(description string) (rest []string) {
		for line := range lines(description) {
			if !strings.HasPrefix(line, lineUfrag) && !strings.HasPrefix(line, linePassword) &&
				!strings.HasPrefix(line, lineCandidate) && !strings.HasPrefix(line, lineCandidates) {
				rest = append(rest, line)
			}
		}
		return rest
	}
	want := untouched(offerSDP)
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := parseFragment(text)
		var fault *FragmentError
		if err != nil {
			if !errors.As(err, &fault) {
				t.Fatalf("parseFragment(%q) = %v, want a FragmentError", text, err)
			}
			return
		}
		for _, c := range parsed.candidates {
			if strings.ContainsAny(c.Candidate, "\r\n") || !strings.HasPrefix(c.Candidate, "candidate:") {
				t.Errorf("parseFragment(%q) has candidate %q", text, c.Candidate)
			}
		}
		restart, err := parsed.restarts(credentialsOf(offerSDP))
		if err != nil || !restart {
			return
		}
		replaced := withCredentials(offerSDP, parsed.credentials)
		if got := untouched(replaced); !slices.Equal(got, want) {
			t.Errorf("%q makes of the description:\n%s", text, replaced)
		}
		if got := credentialsOf(replaced); got != parsed.credentials {
			t.Errorf("%q: credentials are %+v, want %+v", text, got, parsed.credentials)
		}
	})
}
