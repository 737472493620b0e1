package srtp

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"strings"
	"testing"
)

// unhex reads hexadecimal digits, with spaces and ends of lines between them.
func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestKeyDerivationVectors(t *testing.T) {
	t.Parallel()
	// RFC 3711, appendix B.3; RFC 6188 §7.3 for the key of 32 octets.
	for _, test := range []struct{ name, key, salt, encryption, sessionSalt, authentication string }{
		{
			"128 bits", "E1F97A0D3E018BE0D64FA32C06DE4139", "0EC675AD498AFEEBB6960B3AABE6",
			"C61E7A93744F39EE10734AFE3FF7A087", "30CBBC08863D8C85D49DB34A9AE1",
			"CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4",
		},
		{
			"256 bits", "f0f04914b513f2763a1b1fa130f10e29 98f6f6e43e4309d1e622a0e332b9f1b6",
			"3b04803de51ee7c96423ab5b78d2", "5ba1064e30ec51613cad926c5a28ef73 1ec7fb397f70a960653caf06554cd8c4",
			"fa31791685ca444a9e07c6c64e93", "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05",
		},
	} {
		d, err := newKeyDerivation(unhex(t, test.key), unhex(t, test.salt))
		if err != nil {
			t.Fatal(err)
		}
		for label, want := range map[byte]string{
			labelEncryption: test.encryption, labelSalt: test.sessionSalt, labelAuthentication: test.authentication,
		} {
			want := unhex(t, want)
			if got := d.derive(label, len(want)); !bytes.Equal(got, want) {
				t.Errorf("%s, label %d: derived %x, want %x", test.name, label, got, want)
			}
		}
	}
}

func TestCounterModeVectors(t *testing.T) {
	t.Parallel()
	// RFC 3711, appendix B.2: one segment of key stream, at its beginning and at its end.
	c, err := newCounterMode(unhex(t, "2B7E151628AED2A6ABF7158809CF4F3C"))
	if err != nil {
		t.Fatal(err)
	}
	stream := make([]byte, 0xff02*16)
	c.xor(stream, stream, elementOf(unhex(t, "F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000")))
	for _, test := range []struct {
		block int
		want  string
	}{
		{0, "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0"},
		{0xfeff, "EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE 6A2CC3787889374FBEB4C81B17BA6C44"},
	} {
		want := unhex(t, test.want)
		if got := stream[16*test.block:][:len(want)]; !bytes.Equal(got, want) {
			t.Errorf("key stream from block %#x is %x, want %x", test.block, got, want)
		}
	}
}

func TestPseudoRandomFunctionVectors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name               string
		newHash            func() hash.Hash
		secret, seed, want string
	}{
		{
			"SHA-256", sha256.New, "9bbe436ba940f017b17652849a71db35", "a0ba9f936cda311827a6f796ffd5198c",
			`e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af
			0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701
			87347b66`,
		},
		{
			"SHA-384", sha512.New384, "b80b733d6ceefcdc71566ea48e5567df", "cd665cf6a8447dd6ff8b27555edb7465",
			`7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cde9ca0faa60be9fe34f82b1233c9146a0
			e534cb400fed2700884f9dc236f80edd8bfa961144c9e8d792eca722a7b32fc3d416d473ebc2c5fd4abfdad05d918425
			9b5bf8cd4d90fa0d31e2dec479e4f1a26066f2eea9a69236a3e52655c9e9aee691c8f3a26854308d5eaa3be85e099070
			3d73e56f`,
		},
	} {
		want, seed := unhex(t, test.want), unhex(t, test.seed)
		got := make([]byte, len(want))
		prf(test.newHash, got, unhex(t, test.secret), "test label", seed[:5], seed[5:])
		if !bytes.Equal(got, want) {
			t.Errorf("%s: the function gives %x, want %x", test.name, got, want)
		}
	}
}

func TestGCMVectors(t *testing.T) {
	t.Parallel()
	// RFC 7714 §16.1.1 and §16.2.1.
	const (
		header = "8040f17b 8041f8d3 5501a0b2"
		plain  = "47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465 73207472 6573"
		salt   = "51756964 2070726f 2071756f"
	)
	for _, test := range []struct{ name, key, want string }{
		{
			"128 bits", "000102030405060708090a0b0c0d0e0f",
			`f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1
			6a9152cf 765ee439 0cce`,
		},
		{
			"256 bits", "000102030405060708090a0b0c0d0e0f 101112131415161718191a1b1c1d1e1f",
			`32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff
			d6b0f9bb 7878d7a7 6c13`,
		},
	} {
		g, err := newGCM(unhex(t, test.key), unhex(t, salt))
		if err != nil {
			t.Fatal(err)
		}
		sealer, opener := &Sealer{transform: g}, &Opener{transform: g}
		head, payload := unhex(t, header), unhex(t, plain)
		want := append(bytes.Clone(head), unhex(t, test.want)...)
		got := sealer.Seal(nil, head, payload, 0x5501a0b2, 0xf17b)
		if !bytes.Equal(got, want) {
			t.Errorf("%s: sealed %x, want %x", test.name, got, want)
		}
		back := make([]byte, len(want))
		n, err := opener.Open(back, want, len(head), 0x5501a0b2, 0xf17b)
		if err != nil || !bytes.Equal(back[len(head):n], payload) {
			t.Errorf("%s: opened %x, %v, want %x", test.name, back[:n], err, payload)
		}
	}
}

func TestFieldArithmetic(t *testing.T) {
	t.Parallel()
	one := element{hi: 1 << 63}
	for i := range uint64(100) {
		var octets [32]byte
		fill(octets[:], i)
		e, f := elementOf(octets[:16]), elementOf(octets[16:])
		if got, want := e.square(), e.times(e); got != want {
			t.Errorf("the square of %x is %x, want %x", e, got, want)
		}
		if e.times(f) != f.times(e) {
			t.Errorf("%x times %x depends on the order", e, f)
		}
		if got := e.times(e.inverse()); got != one {
			t.Errorf("%x times its inverse is %x, want 1", e, got)
		}
		if got := e.times(one); got != e {
			t.Errorf("%x times 1 is %x", e, got)
		}
	}
	if x := (element{hi: 1 << 62}); x.timesX() != x.times(x) {
		t.Errorf("x times x is %x or %x", x.timesX(), x.times(x))
	}
}

func TestDeriveKeysRefusesWhatIsNoSecret(t *testing.T) {
	t.Parallel()
	good := func() *Secrets {
		return &Secrets{
			Master: make([]byte, 48), ClientRandom: make([]byte, 32), ServerRandom: make([]byte, 32), Hash: crypto.SHA256,
		}
	}
	for _, test := range []struct {
		name    string
		change  func(s *Secrets)
		profile Profile
		want    string
	}{
		{"nothing wrong", func(*Secrets) {}, AEAD_AES_128_GCM, ""},
		{"no master secret", func(s *Secrets) { s.Master = nil }, AEAD_AES_128_GCM, "master secret of 0 octets"},
		{"a short random", func(s *Secrets) { s.ClientRandom = make([]byte, 31) }, AEAD_AES_128_GCM, "randoms of 31"},
		{"no random", func(s *Secrets) { s.ServerRandom = nil }, AEAD_AES_128_GCM, "randoms of 32 and 0"},
		{"no hash", func(s *Secrets) { s.Hash = 0 }, AEAD_AES_128_GCM, "hash function"},
		{"another hash", func(s *Secrets) { s.Hash = crypto.MD5 }, AEAD_AES_128_GCM, "hash function"},
		{"no profile", func(*Secrets) {}, 0, "0x0000 is not supported"},
		{"a profile with a tag of 32 bits", func(*Secrets) {}, 2, "0x0002 is not supported"},
	} {
		s := good()
		test.change(s)
		_, err := DeriveKeys(s, test.profile)
		switch {
		case err == nil && test.want != "":
			t.Errorf("%s: no error, want %q", test.name, test.want)
		case err != nil && (test.want == "" || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: error %q, want %q", test.name, err, test.want)
		}
	}
}

func TestProfileSizes(t *testing.T) {
	t.Parallel()
	for p, want := range map[Profile]int{
		0: 0, 2: 0, 5: 0, AES128_CM_HMAC_SHA1_80: 10, AEAD_AES_128_GCM: 16, AEAD_AES_256_GCM: 16, 9: 0,
	} {
		if got := p.Overhead(); got != want {
			t.Errorf("overhead of %#x is %d, want %d", uint16(p), got, want)
		}
		if got := p.Supported(); got != (want > 0) {
			t.Errorf("%#x supported: %v, want %v", uint16(p), got, want > 0)
		}
	}
}
