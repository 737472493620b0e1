package srtp

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
)

// Sizes in TLS 1.2, in octets (RFC 5246 §7.4.1.2 and §8.1).
const (
	randomLen       = 32
	masterSecretLen = 48
)

// exporterLabel is the label of DTLS-SRTP (RFC 5764 §4.2).
const exporterLabel = "EXTRACTOR-dtls_srtp"

// Labels of the key derivation (RFC 3711 §4.3.2).
const (
	labelEncryption     = 0x00
	labelAuthentication = 0x01
	labelSalt           = 0x02
)

// authKeyLen is the length of the session authentication key of HMAC-SHA1, in octets (RFC 3711 §5.2).
const authKeyLen = 20

// Secrets is what a handshake of DTLS 1.2 left. It belongs to the caller, who wipes it as soon as
// [DeriveKeys] has returned.
type Secrets struct {
	Master       []byte      // the master secret, 48 octets
	ClientRandom []byte      // 32 octets
	ServerRandom []byte      // 32 octets
	Hash         crypto.Hash // of the cipher suite, see [HashForCipherSuite]
}

// Wipe zeroes the octets that s points to, and forgets them.
func (s *Secrets) Wipe() {
	clear(s.Master)
	clear(s.ClientRandom)
	clear(s.ServerRandom)
	*s = Secrets{}
}

// newHash returns the constructor of the hash function of s, or nil.
func (s *Secrets) newHash() func() hash.Hash {
	switch s.Hash {
	case crypto.SHA256:
		return sha256.New
	case crypto.SHA384:
		return sha512.New384
	default:
		return nil
	}
}

// Keys are the master keys and master salts of both sides of one connection.
type Keys struct {
	profile Profile
	// material is client key, server key, client salt, server salt (RFC 5764 §4.2), or nil once wiped.
	material []byte
}

// DeriveKeys derives the keys of a connection that negotiated p. It keeps nothing of s. Errors are
// about what s and p hold.
func DeriveKeys(s *Secrets, p Profile) (*Keys, error) {
	params, ok := p.parameters()
	if !ok {
		return nil, fmt.Errorf("srtp: protection profile %#04x is not supported", uint16(p))
	}
	newHash := s.newHash()
	switch {
	case newHash == nil:
		return nil, fmt.Errorf("srtp: hash function %d is not one of TLS 1.2", s.Hash)
	case len(s.Master) != masterSecretLen:
		return nil, fmt.Errorf("srtp: master secret of %d octets, want %d", len(s.Master), masterSecretLen)
	case len(s.ClientRandom) != randomLen || len(s.ServerRandom) != randomLen:
		return nil, fmt.Errorf("srtp: randoms of %d and %d octets, want %d",
			len(s.ClientRandom), len(s.ServerRandom), randomLen)
	}
	k := &Keys{profile: p, material: make([]byte, 2*(params.keyLen+params.saltLen))}
	prf(newHash, k.material, s.Master, exporterLabel, s.ClientRandom, s.ServerRandom)
	return k, nil
}

// prf fills out with the pseudo-random function of TLS 1.2 (RFC 5246 §5). The seed comes in two parts, as in the
// exporter without a context (RFC 5705 §4).
func prf(newHash func() hash.Hash, out, secret []byte, label string, seed1, seed2 []byte) {
	mac := hmac.New(newHash, secret)
	seed := append(append([]byte(label), seed1...), seed2...)
	sum := func(parts ...[]byte) []byte {
		mac.Reset()
		for _, part := range parts {
			mac.Write(part)
		}
		return mac.Sum(nil)
	}
	a := sum(seed)
	for len(out) > 0 {
		block := sum(a, seed)
		out = out[copy(out, block):]
		clear(block)
		next := sum(a)
		clear(a)
		a = next
	}
	clear(a)
}

// Wipe zeroes the keys. Sealers and Openers made before stay usable; new ones cannot be made.
func (k *Keys) Wipe() {
	clear(k.material)
	k.material = nil
}

// NewSealer makes a Sealer with the write keys of the server or the client: the side of DTLS that sends.
func (k *Keys) NewSealer(server bool) (*Sealer, error) {
	t, err := k.newTransform(server)
	if err != nil {
		return nil, err
	}
	return &Sealer{transform: t}, nil
}

// NewOpener makes an Opener for what the server or the client sends.
func (k *Keys) NewOpener(server bool) (*Opener, error) {
	t, err := k.newTransform(server)
	if err != nil {
		return nil, err
	}
	return &Opener{transform: t}, nil
}

// master returns the master key and the master salt of one side; they point into k.
func (k *Keys) master(server bool, params parameters) (key, salt []byte) {
	keys, salts := k.material[:2*params.keyLen], k.material[2*params.keyLen:]
	if server {
		return keys[params.keyLen:], salts[params.saltLen:]
	}
	return keys[:params.keyLen], salts[:params.saltLen]
}

// newTransform derives the session keys of one side (RFC 3711 §4.3.1) and makes its cipher.
func (k *Keys) newTransform(server bool) (transform, error) {
	if k.material == nil {
		return nil, errWiped
	}
	params, _ := k.profile.parameters()
	key, salt := k.master(server, params)
	prf, err := newKeyDerivation(key, salt)
	if err != nil {
		return nil, err
	}
	sessionKey := prf.derive(labelEncryption, params.keyLen)
	defer clear(sessionKey)
	sessionSalt := prf.derive(labelSalt, params.saltLen)
	defer clear(sessionSalt)
	if params.aead {
		return newGCM(sessionKey, sessionSalt)
	}
	authKey := prf.derive(labelAuthentication, authKeyLen)
	defer clear(authKey)
	return newCM(sessionKey, sessionSalt, authKey, params.tagLen)
}

// keyDerivation is the key derivation function of RFC 3711 §4.3.3: AES in counter mode under the master key.
type keyDerivation struct {
	block cipher.Block
	salt  []byte
}

func newKeyDerivation(masterKey, masterSalt []byte) (keyDerivation, error) {
	block, err := aes.NewCipher(masterKey)
	if err != nil {
		return keyDerivation{}, fmt.Errorf("srtp: %w", err)
	}
	return keyDerivation{block: block, salt: masterSalt}, nil
}

// derive returns n octets of the key with label. With a rate of 0 the packet index has no part in it.
// A master salt of 12 octets counts as padded with zeros on the right (RFC 7714 §11).
func (d keyDerivation) derive(label byte, n int) []byte {
	var iv [aes.BlockSize]byte
	copy(iv[:], d.salt)
	iv[7] ^= label
	out := make([]byte, n)
	cipher.NewCTR(d.block, iv[:]).XORKeyStream(out, out)
	return out
}

// keyLogLabel begins a line with the master secret of TLS 1.2 in a key log.
var keyLogLabel = []byte("CLIENT_RANDOM ")

// ParseKeyLogLine reads one line of a key log of NSS, with or without its end: "CLIENT_RANDOM", the random and the
// master secret, both hexadecimal. ok is false for every other line. What it returns is new, and the
// caller's to wipe; line is not changed.
func ParseKeyLogLine(line []byte) (clientRandom, master []byte, ok bool) {
	line = bytes.TrimSuffix(line, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	rest, found := bytes.CutPrefix(line, keyLogLabel)
	if !found || len(rest) != hex.EncodedLen(randomLen)+1+hex.EncodedLen(masterSecretLen) {
		return nil, nil, false
	}
	random, secret := rest[:hex.EncodedLen(randomLen)], rest[hex.EncodedLen(randomLen)+1:]
	clientRandom, master = make([]byte, randomLen), make([]byte, masterSecretLen)
	_, randomErr := hex.Decode(clientRandom, random)
	_, secretErr := hex.Decode(master, secret)
	if randomErr != nil || secretErr != nil || rest[len(random)] != ' ' {
		clear(master)
		return nil, nil, false
	}
	return clientRandom, master, true
}

// errWiped is what the use of wiped keys gives.
var errWiped = errors.New("srtp: the keys have been wiped")
