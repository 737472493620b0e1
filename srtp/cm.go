package srtp

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // HMAC-SHA1 is the profile's, and sound for authentication
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
)

// cm is the transform of AES128_CM_HMAC_SHA1_80: AES in counter mode (RFC 3711 §4.1.1), then HMAC-SHA1 over
// header, encrypted payload and rollover counter, cut to ten octets (§4.2).
type cm struct {
	ctr    *counterMode
	salt   element // the session salt, times 2^16
	mac    hash.Hash
	tagLen int
	roc    [4]byte
	sum    [sha1.Size]byte
}

func newCM(key, salt, authKey []byte, tagLen int) (*cm, error) {
	ctr, err := newCounterMode(key)
	if err != nil {
		return nil, err
	}
	var padded [16]byte
	copy(padded[:], salt)
	c := &cm{ctr: ctr, salt: elementOf(padded[:]), mac: hmac.New(sha1.New, authKey), tagLen: tagLen}
	// The first Reset replaces the padded key inside by the state of the hash after it.
	c.mac.Reset()
	return c, nil
}

func (c *cm) overhead() int { return c.tagLen }

// crypt encrypts or decrypts src to dst, which may be the same.
func (c *cm) crypt(dst, src []byte, ssrc uint32, index uint64) {
	c.ctr.xor(dst, src, element{hi: c.salt.hi ^ uint64(ssrc), lo: c.salt.lo ^ index<<16})
}

// authenticate leaves the tag of what is followed by the rollover counter of index in c.sum.
func (c *cm) authenticate(what []byte, index uint64) []byte {
	binary.BigEndian.PutUint32(c.roc[:], uint32(index>>16))
	c.mac.Reset()
	c.mac.Write(what)
	c.mac.Write(c.roc[:])
	return c.mac.Sum(c.sum[:0])[:c.tagLen]
}

func (c *cm) seal(out []byte, headerLen int, payload []byte, ssrc uint32, index uint64) {
	end := len(out) - c.tagLen
	c.crypt(out[headerLen:end], payload, ssrc, index)
	copy(out[end:], c.authenticate(out[:end], index))
}

func (c *cm) open(out, packet []byte, headerLen int, ssrc uint32, index uint64) bool {
	end := len(packet) - c.tagLen
	if subtle.ConstantTimeCompare(c.authenticate(packet[:end], index), packet[end:]) != 1 {
		return false
	}
	c.crypt(out[headerLen:], packet[headerLen:end], ssrc, index)
	return true
}

func (c *cm) clone() (transform, error) {
	cloner, ok := c.mac.(hash.Cloner)
	if !ok {
		return nil, errors.New("srtp: the hash function cannot be cloned")
	}
	mac, err := cloner.Clone()
	if err != nil {
		return nil, fmt.Errorf("srtp: %w", err)
	}
	return &cm{ctr: c.ctr.clone(), salt: c.salt, mac: mac, tagLen: c.tagLen}, nil
}

func (c *cm) wipe() {
	c.ctr.wipe()
	*c = cm{}
}
