package srtp

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"
)

const (
	// minHeaderLen is the length of a header without CSRCs and extension (RFC 3550 §5.1).
	minHeaderLen = 12

	// indexMask leaves the 48 bits of a packet index.
	indexMask = 1<<48 - 1
)

// ErrAuthentication says that a packet is not one that the peer sealed under this index, or none at all.
var ErrAuthentication = errors.New("srtp: authentication failed")

// transform is one side's session keys with their cipher. The methods use scratch space of its own, so that
// it belongs to one goroutine.
type transform interface {
	// overhead is the length of the tag.
	overhead() int
	// seal encrypts payload to out[headerLen:len(out)-overhead()], where it may lie already, and
	// writes the tag behind it. out[:headerLen] is the header.
	seal(out []byte, headerLen int, payload []byte, ssrc uint32, index uint64)
	// open authenticates packet and decrypts it to out, which has the length of the plain packet; out and packet
	// may begin at the same octet. The header in out is not written.
	open(out, packet []byte, headerLen int, ssrc uint32, index uint64) bool
	// clone returns a transform with the same keys and scratch space of its own.
	clone() (transform, error)
	// wipe zeroes what is its own.
	wipe()
}

// Sealer encrypts and authenticates RTP packets with one side's keys, for any number of SSRCs. It has no state but
// scratch space: the same packet under the same index gives the same octets. It is not for concurrent use,
// see [Sealer.Clone].
type Sealer struct {
	transform transform // nil once wiped
}

// Overhead returns by how many octets a sealed packet is longer than a plain one; 0 after [Sealer.Wipe].
func (s *Sealer) Overhead() int {
	if s.transform == nil {
		return 0
	}
	return s.transform.overhead()
}

// Seal appends to dst the sealed packet: header, encrypted payload, and tag. header is a whole marshalled RTP header with
// its CSRCs and extension; ssrc and the lower 16 bits of index are those in it, and the upper 32 of the 48 bits
// are the rollover counter (RFC 3711 §3.3.1). Two different packets must never be given the same ssrc and index:
// that would betray both.
//
// If dst has room for all of it ([Sealer.Overhead]) nothing is allocated, and nothing behind the packet is
// written. dst must not overlap header and payload, except that either may lie in place already. After
// [Sealer.Wipe] Seal returns dst as it is.
func (s *Sealer) Seal(dst, header, payload []byte, ssrc uint32, index uint64) []byte {
	if s.transform == nil {
		return dst
	}
	start, n := len(dst), len(header)+len(payload)+s.transform.overhead()
	dst = slices.Grow(dst, n)[:start+n]
	out := dst[start:]
	copy(out, header)
	s.transform.seal(out, len(header), payload, ssrc, index&indexMask)
	return dst
}

// Clone returns a Sealer with the same keys for another goroutine. Each is wiped by itself.
func (s *Sealer) Clone() (*Sealer, error) {
	if s.transform == nil {
		return nil, errWiped
	}
	t, err := s.transform.clone()
	if err != nil {
		return nil, err
	}
	return &Sealer{transform: t}, nil
}

// Wipe zeroes what the Sealer holds and forgets its ciphers; clones are not touched.
func (s *Sealer) Wipe() {
	if s.transform != nil {
		s.transform.wipe()
		s.transform = nil
	}
}

// Opener authenticates and decrypts RTP packets with one side's keys, for any number of SSRCs. It has no state
// but scratch space, and is not for concurrent use. It does not refuse replays, see [Replay].
type Opener struct {
	transform transform // nil once wiped
}

// Overhead returns by how many octets a sealed packet is longer than a plain one; 0 after [Opener.Wipe].
func (o *Opener) Overhead() int {
	if o.transform == nil {
		return 0
	}
	return o.transform.overhead()
}

// Open authenticates packet, a whole SRTP packet, and writes the plain one to the beginning of dst, whatever the
// length of dst; its capacity must be at least that of packet's length. headerLen is the length of packet's
// header with its CSRCs and extension, ssrc is the one in it, and index the caller's estimate of the packet's
// index ([EstimateIndex]).
//
// Open returns the length of the plain packet, or [ErrAuthentication], which is also what a packet too short for
// its header and tag gives, and one whose SSRC or sequence number is not that of ssrc and index. packet stays as
// it is, unless dst begins at the same octet, which is allowed; then it is lost if Open fails. dst must not
// overlap packet otherwise. After an error dst holds nothing of the payload.
func (o *Opener) Open(dst, packet []byte, headerLen int, ssrc uint32, index uint64) (n int, err error) {
	if o.transform == nil {
		return 0, errWiped
	}
	if cap(dst) < len(packet) {
		return 0, io.ErrShortBuffer
	}
	n = len(packet) - o.transform.overhead()
	if headerLen < minHeaderLen || headerLen > n ||
		binary.BigEndian.Uint16(packet[2:]) != uint16(index) ||
		binary.BigEndian.Uint32(packet[8:]) != ssrc {
		return 0, ErrAuthentication
	}
	out := dst[:n]
	if !o.transform.open(out, packet, headerLen, ssrc, index&indexMask) {
		return 0, ErrAuthentication
	}
	copy(out, packet[:headerLen])
	return n, nil
}

// Wipe zeroes what the Opener holds and forgets its ciphers.
func (o *Opener) Wipe() {
	if o.transform != nil {
		o.transform.wipe()
		o.transform = nil
	}
}
