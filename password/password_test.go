package password

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// RFC 7914 §11: PBKDF2-HMAC-SHA-256 of "passwd" with the salt "salt" and one
// iteration.
const rfc7914Key = "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc" +
	"49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"

// bcryptOf returns a digest of offered at the lowest cost.
func bcryptOf(tb testing.TB, offered string) string {
	tb.Helper()
	p, err := Hash(offered, 4)
	if err != nil {
		tb.Fatal(err)
	}
	return *p.stored.Key
}

func decode(tb testing.TB, data string) *Password {
	tb.Helper()
	var p *Password
	if err := json.Unmarshal([]byte(data), &p); err != nil {
		tb.Fatalf("Unmarshal(%s): %v", data, err)
	}
	return p
}

func TestCheckAcceptsWhatIsStored(t *testing.T) {
	t.Parallel()
	pbkdf2 := fmt.Sprintf(`{"type":"pbkdf2","hash":"sha-256","key":%q,"salt":"73616c74","iterations":1}`, rfc7914Key)
	bcrypt := fmt.Sprintf(`{"type":"bcrypt","key":%q}`, bcryptOf(t, "hello"))
	long := strings.Repeat("x", MaxBcryptBytes)
	bcryptLong := fmt.Sprintf(`{"type":"bcrypt","key":%q}`, bcryptOf(t, long))
	tests := []struct {
		name, stored, offered string
		want                  bool
	}{
		{"string", `"hello"`, "hello", true},
		{"string, other", `"hello"`, "Hello", false},
		{"empty string", `""`, "", true},
		{"plain", `{"type":"plain","key":"hello"}`, "hello", true},
		{"plain, prefix", `{"type":"plain","key":"hello"}`, "hell", false},
		{"null accepts nothing", `null`, "", false},
		{"empty object accepts nothing", `{}`, "", false},
		{"key without type accepts nothing", `{"key":"hello"}`, "hello", false},
		{"wildcard", `{"type":"wildcard"}`, "anything", true},
		{"pbkdf2", pbkdf2, "passwd", true},
		{"pbkdf2, other", pbkdf2, "password", false},
		{"bcrypt", bcrypt, "hello", true},
		{"bcrypt, other", bcrypt, "hello ", false},
		{"bcrypt, longest", bcryptLong, long, true},
		{"bcrypt, beyond the longest", bcryptLong, long + "y", false},
	}
	checker := NewChecker()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := checker.Check(t.Context(), decode(t, tt.stored), tt.offered)
			if got != tt.want || err != nil {
				t.Errorf("Check(%s, %q) = %v, %v, want %v", tt.stored, tt.offered, got, err, tt.want)
			}
		})
	}
}

func TestUnusablePasswordsAreKeptButRefused(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, stored, field string }{
		{"unknown type", `{"type":"rot13","key":"x"}`, "type"},
		{"plain without key", `{"type":"plain"}`, "key"},
		{"pbkdf2 without key", `{"type":"pbkdf2","hash":"sha-256","iterations":1}`, "key"},
		{"pbkdf2 with empty key", `{"type":"pbkdf2","hash":"sha-256","key":"","salt":"","iterations":1}`, "key"},
		{"pbkdf2 with bad key", `{"type":"pbkdf2","hash":"sha-256","key":"xy","iterations":1}`, "key"},
		{"pbkdf2 with bad salt", `{"type":"pbkdf2","hash":"sha-256","key":"00","salt":"0","iterations":1}`, "salt"},
		{"pbkdf2 with other hash", `{"type":"pbkdf2","hash":"md5","key":"00","iterations":1}`, "hash"},
		{"pbkdf2 without iterations", `{"type":"pbkdf2","hash":"sha-256","key":"00"}`, "iterations"},
		{"pbkdf2 with negative iterations", `{"type":"pbkdf2","hash":"sha-256","key":"00","iterations":-1}`, "iterations"},
		{"pbkdf2 with too many iterations", `{"type":"pbkdf2","hash":"sha-256","key":"00","iterations":10000001}`, "iterations"},
		{
			"pbkdf2 with too many blocks",
			fmt.Sprintf(`{"type":"pbkdf2","hash":"sha-256","key":%q,"iterations":9000000}`, strings.Repeat("00", 33)), "iterations",
		},
		{"bcrypt without key", `{"type":"bcrypt"}`, "key"},
		{"bcrypt with bad key", `{"type":"bcrypt","key":"x"}`, "key"},
		{"bcrypt with high cost", `{"type":"bcrypt","key":"$2a$16$` + strings.Repeat("a", 53) + `"}`, "cost"},
	}
	checker := NewChecker()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := decode(t, tt.stored)
			ok, err := checker.Check(t.Context(), p, "")
			if ok || !errors.Is(err, ErrUnusable) || !strings.Contains(err.Error(), tt.field) {
				t.Errorf("Check(%s) = %v, %v, want an error about %q", tt.stored, ok, err, tt.field)
			}
			if err := p.Validate(); !errors.Is(err, ErrUnusable) {
				t.Errorf("Validate(%s) = %v, want ErrUnusable", tt.stored, err)
			}
			if got := p.Work(); got != 0 {
				t.Errorf("Work(%s) = %d, want 0", tt.stored, got)
			}
		})
	}
}

func TestUnmarshalRefusesWhatIsNoPassword(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, data, want string }{
		{"number", `5`, "number"},
		{"array", `[]`, "array"},
		{"unknown field", `{"type":"plain","clef":"x"}`, "clef"},
		{"wrong type of a field", `{"type":"pbkdf2","iterations":"many"}`, "iterations"},
		{"fraction of an iteration", `{"type":"pbkdf2","iterations":1.5}`, "iterations"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var p Password
			err := json.Unmarshal([]byte(tt.data), &p)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Unmarshal(%s) = %v, want an error about %q", tt.data, err, tt.want)
			}
		})
	}
}

func TestMarshalKeepsThePassword(t *testing.T) {
	t.Parallel()
	tests := []struct{ data, want string }{
		{`"hello"`, `"hello"`},
		{`{"type":"plain","key":"hello"}`, `"hello"`},
		{`{"type":"wildcard"}`, `{"type":"wildcard"}`},
		{`{}`, `{}`},
		{`{"type":"rot13","key":""}`, `{"type":"rot13","key":""}`},
		{
			`{"iterations":7,"type":"pbkdf2","key":"00","hash":"sha-256","salt":"01"}`,
			`{"type":"pbkdf2","key":"00","hash":"sha-256","salt":"01","iterations":7}`,
		},
	}
	for _, tt := range tests {
		got, err := json.Marshal(decode(t, tt.data))
		if err != nil || string(got) != tt.want {
			t.Errorf("Marshal(%s) = %s, %v, want %s", tt.data, got, err, tt.want)
		}
	}
}

func TestHashRefusesWhatBcryptCannotTake(t *testing.T) {
	t.Parallel()
	if _, err := Hash(strings.Repeat("x", MaxBcryptBytes+1), 4); err == nil {
		t.Error("Hash of 73 bytes = nil error, want one")
	}
	for _, cost := range []int{-1, 0, 3, MaxBcryptCost + 1} {
		if _, err := Hash("x", cost); err == nil {
			t.Errorf("Hash at cost %d = nil error, want one", cost)
		}
	}
}

func TestWorkOrdersPasswordsByCost(t *testing.T) {
	t.Parallel()
	plain, wildcard := Plain("x"), Wildcard()
	cheap, err := Hash("x", 4)
	if err != nil {
		t.Fatal(err)
	}
	dear, err := Hash("x", 5)
	if err != nil {
		t.Fatal(err)
	}
	if plain.Work() != 0 || wildcard.Work() != 0 || cheap.Work() == 0 || dear.Work() <= cheap.Work() {
		t.Errorf("Work() = %d (plain), %d (wildcard), %d (cost 4), %d (cost 5), want 0, 0 and rising",
			plain.Work(), wildcard.Work(), cheap.Work(), dear.Work())
	}
}

// Whatever a definition says of a password, decoding it does not panic, what it
// accepts survives being written and read again, and what is within bounds can
// be checked.
func FuzzPassword(f *testing.F) {
	f.Add([]byte(`"hello"`))
	f.Add([]byte(`null`))
	f.Add([]byte(`{"type":"bcrypt","key":"$2a$04$CCCCCCCCCCCCCCCCCCCCCuUWNQ4Ik0ZgOQPiqWJyxWyyg7Kzp1nfG"}`))
	f.Add([]byte(`{"type":"pbkdf2","hash":"sha-256","key":"00ff","salt":"01","iterations":2}`))
	checker := NewChecker()
	f.Fuzz(func(t *testing.T, data []byte) {
		var p Password
		if json.Unmarshal(data, &p) != nil {
			return
		}
		first, err := json.Marshal(p)
		if err != nil {
			t.Fatalf("Marshal after Unmarshal(%q): %v", data, err)
		}
		var again Password
		if err := json.Unmarshal(first, &again); err != nil {
			t.Fatalf("Unmarshal(%s), written for %q: %v", first, data, err)
		}
		if (p.Validate() == nil) != (again.Validate() == nil) || p.Work() != again.Work() {
			t.Fatalf("%q reads otherwise after being written as %s", data, first)
		}
		if p.Work() < 10_000 { // otherwise it takes long
			ok, err := checker.Check(t.Context(), &p, "x")
			if ok && err != nil {
				t.Fatalf("Check(%s) = %v, %v", first, ok, err)
			}
		}
	})
}
