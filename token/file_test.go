package token

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestParseReadsWhatItCanAndReportsTheRest(t *testing.T) {
	t.Parallel()
	const a, b = `{"token":"a","group":"g","permissions":[]}`, `{"token":"b","group":"g","permissions":null}`
	tests := []struct {
		name, text string
		want       string // names of tokens
		problems   []int  // lines
	}{
		{"nothing", "", "", nil},
		{"blank", " \n\n\t\n", "", nil},
		{"two lines", a + "\n" + b + "\n", "ab", nil},
		{"no end of line", a + "\n" + b, "ab", nil},
		{"two on a line", a + " " + b + "\n" + a, "aba", nil},
		{"two without space", a + b, "ab", nil},
		{"carriage returns", a + "\r\n" + b + "\r\n", "ab", nil},
		{"over several lines", "\n{\"token\":\n\"a\"\n}\n" + b + "\n", "ab", nil},
		{"begins behind a value", a + " {\n\"token\":\"b\"}" + a, "aba", nil},
		{"unknown fields", `{"token":"a","new":{"x":[1]}}`, "a", nil},
		{"torn at the end", a + "\n" + b[:20], "a", []int{2}},
		{"torn in the middle", b[:20] + "\n" + a + "\n", "a", []int{1}},
		{"torn in a list", `{"token":"b","permissions":[` + "\n" + a + "\n" + b, "ab", []int{1}},
		{"torn in a value", `{"token":"b","group":` + "\n" + a + "\n" + b, "ab", []int{1}},
		{"torn and glued", b[:20] + a + "\n" + b, "b", []int{1}},
		{"zeros", a + "\n\x00\x00\x00\x00\n" + b, "ab", []int{2}},
		{"garbage behind", a + " x\n" + b, "ab", []int{1}},
		{"not an object", "1\n\"x\"\n[]\nnull\n" + a, "a", []int{1, 2, 3, 4}},
		{"no name", "{}\n" + `{"token":""}` + "\n" + a, "a", []int{1, 2}},
		{"wrong types", `{"token":1}` + "\n" + `{"token":"x","permissions":"op"}` + "\n" + a, "a", []int{1, 2}},
		{"bad date", `{"token":"x","expires":"tomorrow"}` + "\n" + a, "a", []int{1}},
		{"any offset", `{"token":"a","expires":"2030-01-01T00:00:00.5+05:30"}`, "a", nil},
	}
	for _, tt := range tests {
		entries, problems := parse([]byte(tt.text))
		var got strings.Builder
		for _, e := range entries {
			got.WriteString(e.token.Token)
		}
		var lines []int
		for _, p := range problems {
			lines = append(lines, p.line)
		}
		if got.String() != tt.want || !slices.Equal(lines, tt.problems) {
			t.Errorf("%s: parse(%q) = %q, problems in lines %v; want %q, %v",
				tt.name, tt.text, got.String(), lines, tt.want, tt.problems)
		}
	}
}

// A file of nothing but beginnings does not take forever.
func TestParseOfManyBeginningsEnds(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("[\n", 1<<17) + `{"token":"a"}`
	entries, problems := parse([]byte(text))
	if len(entries) != 1 || len(problems) != 1<<17 {
		t.Errorf("parse = %d tokens, %d problems", len(entries), len(problems))
	}
}

// Whatever the file says, reading ends, what is found has a name and can be
// written and read again, and what is appended on a line of its own is found.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"token":"a","group":"g","permissions":[],"expires":"2030-01-01T00:00:00Z"}` + "\n"))
	f.Add([]byte(`{"token":"a","perm` + "\n" + `{"token":"b"} {"token":"c"` + "\n}"))
	f.Add([]byte("[\n\x00{\"token\":"))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, problems := parse(data)
		for _, e := range entries {
			if e.token.Token == "" {
				t.Error("a token without a name")
			}
			again, err := decode(e.line)
			if err != nil || again.ETag() != e.token.ETag() {
				t.Errorf("line %q is read as %v, %v; want %v", e.line, again, err, e.token)
			}
		}
		for _, p := range problems {
			if p.line < 1 || p.line > 1+strings.Count(string(data), "\n") || len(p.text) == 0 {
				t.Errorf("problem in line %d: %q", p.line, p.text)
			}
		}
		const last = `{"token":"the last one","group":"g","permissions":null}`
		entries, _ = parse([]byte(fmt.Sprintf("%s\n%s\n", data, last)))
		if len(entries) == 0 || string(entries[len(entries)-1].line) != last {
			t.Errorf("a line appended to %q is not found", data)
		}
	})
}
