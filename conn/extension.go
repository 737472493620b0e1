package conn

// Extension is a kind of header extension (RFC 8285) that goes from publishers
// to subscribers.
type Extension uint8

// The extensions, in the order in which the server's own offers number them.
const (
	AbsoluteCaptureTime  Extension = iota // when the media was captured
	AudioLevel                            // RFC 6464
	VideoOrientation                      // 3GPP TS 26.114 §7.4.5
	PlayoutDelay                          // the least and most delay wished for
	DependencyDescriptor                  // AV1 RTP §A.8
	LayersAllocation                      // which layers are sent, and at what rates
	ExtensionCount                        // how many there are
)

// Extensions tells which header extensions a packet has, and where in it they lie.
// The zero value is none. It is small and holds no pointers, so that it can be
// kept with the packet.
type Extensions struct {
	present uint8 // one bit each
	start   [ExtensionCount]uint16
	length  [ExtensionCount]uint8
}

// Any tells whether there is one.
func (e *Extensions) Any() bool { return e.present != 0 }

// Set takes note of extension x, whose value has length octets from start. Of
// several the last one counts.
func (e *Extensions) Set(x Extension, start uint16, length uint8) {
	e.present |= 1 << x
	e.start[x], e.length[x] = start, length
}

// Extension returns the value of a header extension; ok is false if the packet has
// none. The value may be empty (RFC 8285 §4.3). It aliases the packet, and is not to
// be kept.
func (p *Packet) Extension(x Extension) (value []byte, ok bool) {
	e := &p.Extensions
	if e.present&(1<<x) == 0 {
		return nil, false
	}
	start := int(e.start[x])
	end := start + int(e.length[x])
	if end > len(p.Header) {
		return nil, false
	}
	return p.Header[start:end:end], true
}
