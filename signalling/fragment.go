package signalling

import (
	"strings"

	"galene/rtpconn"
)

// fragment is what a peer says about ICE after its offer (RFC 8840 §9), as far as
// we use it. What tells the end of candidates is of no use to us.
type fragment struct {
	credentials credentials // empty if it names none
	candidates  []rtpconn.Candidate
}

// credentials are those of one side of ICE (RFC 8839 §5.4). Connections are
// bundled, so one pair holds for all sections.
type credentials struct{ ufrag, password string }

// FragmentError is what is wrong with a fragment.
type FragmentError struct{ Text string }

// Error returns the text.
func (e *FragmentError) Error() string { return "signalling: fragment: " + e.Text }

// The attributes that matter, as their lines begin.
const (
	lineMedia      = "m="
	lineMID        = "a=mid:"
	lineUfrag      = "a=ice-ufrag:"
	linePassword   = "a=ice-pwd:" //nolint:gosec // the name of an attribute
	lineCandidate  = "a=candidate:"
	lineCandidates = "a=end-of-candidates"
)

// parseFragment reads a fragment. Credentials are taken from wherever they stand
// first, since implementations disagree about the place.
func parseFragment(text string) (fragment, error) {
	var f fragment
	var mid *string
	section := -1
	for line := range lines(text) {
		if len(line) < 2 || line[1] != '=' || strings.ContainsFunc(line, isControl) {
			return fragment{}, &FragmentError{"not a session description fragment"}
		}
		if strings.HasPrefix(line, lineMedia) {
			section, mid = section+1, nil
		}
		if value, ok := strings.CutPrefix(line, lineMID); ok {
			if section < 0 {
				return fragment{}, &FragmentError{"a media identifier outside of a media section"}
			}
			mid = &value
		}
		if value, ok := strings.CutPrefix(line, "a="); ok && strings.HasPrefix(line, lineCandidate) {
			c := rtpconn.Candidate{Candidate: value, SDPMid: mid}
			if section >= 0 && section <= maxSectionIndex {
				index := uint16(section)
				c.SDPMLineIndex = &index
			}
			f.candidates = append(f.candidates, c)
		}
	}
	f.credentials = credentialsOf(text)
	return f, nil
}

// maxSectionIndex is the greatest index of a media section that a candidate can
// have.
const maxSectionIndex = 1<<16 - 1

// lines yields the lines of a description or fragment that are not empty.
func lines(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for line := range strings.SplitSeq(text, "\n") {
			if line = strings.TrimSuffix(line, "\r"); line != "" && !yield(line) {
				return
			}
		}
	}
}

// isControl tells what cannot stand in a line (RFC 8866 §9, byte-string).
func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// credentialsOf returns the first credentials in a description or fragment.
func credentialsOf(text string) (c credentials) {
	for line := range lines(text) {
		if value, ok := strings.CutPrefix(line, lineUfrag); ok && c.ufrag == "" {
			c.ufrag = value
		}
		if value, ok := strings.CutPrefix(line, linePassword); ok && c.password == "" {
			c.password = value
		}
	}
	return c
}

// restarts tells whether f asks for a restart of ICE (RFC 8839 §4.4.1.1) by a peer
// whose credentials are now the present ones. Without credentials it is about
// the present ones.
func (f *fragment) restarts(present credentials) (bool, error) {
	c := f.credentials
	if (c.ufrag == "" || c.ufrag == present.ufrag) && (c.password == "" || c.password == present.password) {
		return false, nil
	}
	if !isToken(c.ufrag, 4) || !isToken(c.password, 22) {
		return false, &FragmentError{"ICE credentials are incomplete or malformed"}
	}
	return true, nil
}

// isToken checks the syntax of a user name fragment or password, which has at
// least so many characters (RFC 8839 §5.4).
func isToken(s string, least int) bool {
	const most = 256
	return len(s) >= least && len(s) <= most && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '+' || r == '/')
	})
}

// withCredentials returns a description with other credentials, and without the
// candidates that belong to the old ones.
func withCredentials(description string, c credentials) string {
	var b strings.Builder
	for line := range lines(description) {
		switch {
		case strings.HasPrefix(line, lineUfrag):
			line = lineUfrag + c.ufrag
		case strings.HasPrefix(line, linePassword):
			line = linePassword + c.password
		case strings.HasPrefix(line, lineCandidate), strings.HasPrefix(line, lineCandidates):
			continue
		}
		b.WriteString(line + "\r\n")
	}
	return b.String()
}

// fragmentOf returns what a peer must know of a description of ours after a
// restart of ICE.
func fragmentOf(description string) string {
	var b strings.Builder
	for line := range lines(description) {
		for _, wanted := range [...]string{
			"a=ice-lite", "a=ice-options:", "a=group:BUNDLE", lineMedia, lineMID,
			lineUfrag, linePassword, lineCandidate, lineCandidates,
		} {
			if strings.HasPrefix(line, wanted) {
				b.WriteString(line + "\r\n")
				break
			}
		}
	}
	return b.String()
}
