package srtp

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
)

const (
	// gcmNonceLen is the length of nonces and salts of AES-GCM, in octets.
	gcmNonceLen = 12
	// gcmTagLen is the length of its tags. It stands here because asking the cipher means a look into
	// memory that is otherwise needed only later.
	gcmTagLen = 16
)

// gcm is the transform of AEAD_AES_128_GCM and AEAD_AES_256_GCM (RFC 7714). The header is the associated data.
type gcm struct {
	aead   cipher.AEAD // shared with clones: it has no state
	saltHi uint32      // the first four octets of the session salt
	saltLo uint64      // the other eight
	nonce  [gcmNonceLen]byte
}

func newGCM(key, salt []byte) (*gcm, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("srtp: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("srtp: %w", err)
	}
	return &gcm{
		aead:   aead,
		saltHi: binary.BigEndian.Uint32(salt),
		saltLo: binary.BigEndian.Uint64(salt[4:]),
	}, nil
}

func (g *gcm) overhead() int { return gcmTagLen }

// setNonce makes the nonce of one packet (RFC 7714 §8.1): two octets of zero, SSRC, rollover counter and sequence
// number, all exclusive-or the salt.
func (g *gcm) setNonce(ssrc uint32, index uint64) {
	binary.BigEndian.PutUint32(g.nonce[:], g.saltHi^ssrc>>16)
	binary.BigEndian.PutUint64(g.nonce[4:], g.saltLo^(uint64(ssrc)<<48|index))
}

func (g *gcm) seal(out []byte, headerLen int, payload []byte, ssrc uint32, index uint64) {
	g.setNonce(ssrc, index)
	g.aead.Seal(out[headerLen:headerLen], g.nonce[:], payload, out[:headerLen])
}

func (g *gcm) open(out, packet []byte, headerLen int, ssrc uint32, index uint64) bool {
	g.setNonce(ssrc, index)
	_, err := g.aead.Open(out[headerLen:headerLen], g.nonce[:], packet[headerLen:], packet[:headerLen])
	return err == nil
}

func (g *gcm) clone() (transform, error) {
	return &gcm{aead: g.aead, saltHi: g.saltHi, saltLo: g.saltLo}, nil
}

func (g *gcm) wipe() { *g = gcm{} }
