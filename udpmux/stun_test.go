package udpmux

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/pion/stun/v4"
)

// bindingRequest returns a binding request with a USERNAME.
func bindingRequest(tb testing.TB, username string) []byte {
	tb.Helper()
	m, err := stun.Build(stun.TransactionID, stun.BindingRequest, stun.NewUsername(username),
		stun.NewShortTermIntegrity("password"), stun.Fingerprint)
	if err != nil {
		tb.Fatal(err)
	}
	return m.Raw
}

func TestLocalFragmentPrecedesTheColon(t *testing.T) {
	t.Parallel()
	good := bindingRequest(t, "here:there")
	edit := func(f func(b []byte) []byte) []byte { return f(bytes.Clone(good)) }
	build := func(setters ...stun.Setter) []byte {
		m, err := stun.Build(append([]stun.Setter{stun.TransactionID}, setters...)...)
		if err != nil {
			t.Fatal(err)
		}
		return m.Raw
	}
	software := stun.NewSoftware("abcde") // 5 bytes: padded to 8

	tests := []struct {
		name string
		in   []byte
		want string // "" if not ok
	}{
		{"a check", good, "here"},
		{"after a padded attribute", build(stun.BindingRequest, software, stun.NewUsername("a:b")), "a"},
		{"colon only in the middle counts", build(stun.BindingRequest, stun.NewUsername("a:b:c")), "a"},
		{"empty", nil, ""},
		{"no colon", build(stun.BindingRequest, stun.NewUsername("ab")), ""},
		{"empty fragment", build(stun.BindingRequest, stun.NewUsername(":b")), ""},
		{"no user name", build(stun.BindingRequest, software), ""},
		{
			"user name after the integrity check",
			build(stun.BindingRequest, stun.NewShortTermIntegrity("p"), stun.NewUsername("a:b")), "",
		},
		{"response", build(stun.BindingSuccess, stun.NewUsername("a:b")), ""},
		{"indication", build(stun.NewType(stun.MethodBinding, stun.ClassIndication), stun.NewUsername("a:b")), ""},
		{"other method", build(stun.NewType(stun.MethodAllocate, stun.ClassRequest), stun.NewUsername("a:b")), ""},
		{"cut short", edit(func(b []byte) []byte { return b[:len(b)-1] }), ""},
		{"too long", edit(func(b []byte) []byte { return append(b, 0) }), ""},
		{"header only, cut", edit(func(b []byte) []byte { return b[:stunHeader-1] }), ""},
		{"wrong cookie", edit(func(b []byte) []byte { b[4]++; return b }), ""},
		{"attribute beyond the end", edit(func(b []byte) []byte {
			binary.BigEndian.PutUint16(b[stunHeader+2:], 0xffff)
			return b
		}), ""},
		{"user name too long", overlong(), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := localFragment(tt.in)
			if string(got) != tt.want || ok != (tt.want != "") {
				t.Errorf("localFragment(%x) = %q, %v, want %q", tt.in, got, ok, tt.want)
			}
		})
	}
}

// overlong returns a binding request whose USERNAME is longer than allowed.
func overlong() []byte {
	name := "a:" + strings.Repeat("b", stunMaxUsername)
	name += strings.Repeat("b", -len(name)&3)
	b := make([]byte, stunHeader, stunHeader+4+len(name))
	binary.BigEndian.PutUint16(b, stunBindingRequest)
	binary.BigEndian.PutUint16(b[2:], uint16(4+len(name)))
	binary.BigEndian.PutUint32(b[4:], stunCookie)
	b = binary.BigEndian.AppendUint16(b, stunUsername)
	b = binary.BigEndian.AppendUint16(b, uint16(len(name)))
	return append(b, name...)
}

// Whatever arrives, localFragment stays inside it; a fragment it finds is a
// non-empty part of the input without a colon; and in what a full STUN decoder
// accepts, it finds what that decoder finds.
func FuzzLocalFragment(f *testing.F) {
	f.Add(bindingRequest(f, "here:there"))
	f.Add(bindingRequest(f, "x"))
	f.Add(overlong())
	f.Add([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, ok := localFragment(bytes.Clone(b))
		if !ok {
			return
		}
		if len(got) == 0 || bytes.IndexByte(got, ':') >= 0 || !bytes.Contains(b, got) {
			t.Fatalf("localFragment(%x) = %q", b, got)
		}
		m := &stun.Message{Raw: bytes.Clone(b)}
		var username stun.Username
		if m.Decode() != nil {
			return
		}
		if err := username.GetFrom(m); err != nil || !bytes.HasPrefix(username, append(bytes.Clone(got), ':')) {
			t.Fatalf("localFragment(%x) = %q, a decoder finds %q, %v", b, got, username, err)
		}
	})
}
