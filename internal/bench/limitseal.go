package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// Lengths in octets of what a sealed packet is made of: an RTP header without
// extensions (RFC 3550 §5.1), and the tag of AES-GCM (RFC 7714 §13.2).
const (
	headerLength = 12
	tagLength    = 16
	saltLength   = 12
)

// minArena is what one burst of a flow may take.
const minArena = packetsPerFrame * (headerLength + videoPayload + tagLength)

// Payload types of the packets, and their clocks' rates in Hz.
const (
	videoType  = 96
	audioType  = 111
	videoClock = 90000
	audioClock = 48000
)

// sealer protects the packets of one flow by AES-128-GCM, as RFC 7714 does for
// RTP. Its key and salt follow from the flow's number, so that the receiver can
// verify what it gets.
type sealer struct {
	gcm    cipher.AEAD
	salt   [saltLength]byte
	header [headerLength]byte
	nonce  [saltLength]byte
}

func newSealer(flow int) (*sealer, error) {
	secret := sha256.Sum256(fmt.Appendf(nil, "flow %d", flow))
	block, err := aes.NewCipher(secret[:16])
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &sealer{gcm: gcm, salt: [saltLength]byte(secret[16:])}, nil
}

// streamIdentifier is the SSRC of one kind of media of a flow.
func streamIdentifier(flow int, audio bool) uint32 {
	id := uint32(flow+1) << 1
	if audio {
		id |= 1
	}
	return id
}

// flowOf is the inverse of streamIdentifier.
func flowOf(id uint32) int { return int(id>>1) - 1 }

// setNonce makes the initialisation vector of RFC 7714 §8.1.
func (s *sealer) setNonce(id uint32, index uint64) {
	s.nonce = s.salt
	var counter [saltLength]byte
	binary.BigEndian.PutUint32(counter[2:], id)
	binary.BigEndian.PutUint32(counter[6:], uint32(index>>16))
	binary.BigEndian.PutUint16(counter[10:], uint16(index))
	for i, b := range counter {
		s.nonce[i] ^= b
	}
}

// packet is what differs between the packets of a stream.
type packet struct {
	payload   []byte
	kind      byte // payload type
	marker    bool // the frame's last packet
	timestamp uint32
	index     uint64 // sequence number, and how often it has wrapped around
}

// seal appends the sealed packet to dst, which must have room for it.
func (s *sealer) seal(dst []byte, id uint32, p *packet) []byte {
	s.header[0] = 2 << 6
	s.header[1] = p.kind
	if p.marker {
		s.header[1] |= 0x80
	}
	binary.BigEndian.PutUint16(s.header[2:], uint16(p.index))
	binary.BigEndian.PutUint32(s.header[4:], p.timestamp)
	binary.BigEndian.PutUint32(s.header[8:], id)
	s.setNonce(id, p.index)
	dst = append(dst, s.header[:]...)
	return s.gcm.Seal(dst, s.nonce[:], p.payload, s.header[:])
}

// open verifies a sealed packet whose sequence number has not wrapped around,
// appends its payload to dst and returns that.
func (s *sealer) open(dst, sealed []byte) ([]byte, error) {
	id := binary.BigEndian.Uint32(sealed[8:])
	s.setNonce(id, uint64(binary.BigEndian.Uint16(sealed[2:])))
	return s.gcm.Open(dst, s.nonce[:], sealed[headerLength:], sealed[:headerLength])
}
