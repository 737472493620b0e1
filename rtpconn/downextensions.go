package rtpconn

import (
	"github.com/pion/webrtc/v4"

	"galene/codecs"
	"galene/conn"
	"galene/layers"
)

// maxOutExtensions bounds the header extensions of one packet sent, in octets. With
// the longest payload, and as a retransmission, a packet still fits a datagram of
// package udpsocket.
const maxOutExtensions = 480

// extensionIDs are the ids under which a subscriber takes header extensions; 0 is
// not at all. Whatever has none is left out.
type extensionIDs struct {
	any   bool
	mixed bool // both forms are understood
	ids   [conn.ExtensionCount]uint8
}

// setExtensions takes what was negotiated. It is called before the track is
// attached: the extensions of a packet do not change from one sending to the next.
func (d *downTrack) setExtensions(negotiated []webrtc.RTPHeaderExtensionParameter) {
	e := extensionIDs{mixed: d.down.mixed.Load()}
	for _, p := range negotiated {
		// Our ids are of the one-byte form, and answers keep them.
		if x, ok := extensionURIs[p.URI]; ok && x < conn.ExtensionCount && p.ID > 0 && p.ID < oneByteReserved {
			e.any = true
			e.ids[x] = uint8(p.ID)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.extensions = e
}

// extend gives the next packet that is sent the header extensions of p, which they
// alias; source is what p is from, and change how it is changed. It does not
// allocate. The caller holds the lock.
func (d *downTrack) extend(p *conn.Packet, source uint8, change *layers.Change) {
	h := &d.header
	h.Extensions = h.Extensions[:0]
	profile, left := uint16(oneByteProfile), maxOutExtensions
	for x, id := range d.extensions.ids {
		if id == 0 {
			continue
		}
		value, ok := p.Extension(conn.Extension(x))
		if ok && conn.Extension(x) == conn.DependencyDescriptor {
			value, ok = d.rewriteDescriptor(value, &p.Frame, source, change)
		}
		if !ok || len(value)+2 > left {
			continue
		}
		if len(value) == 0 || len(value) > oneByteMaxLength {
			if !d.extensions.mixed {
				continue
			}
			profile = twoByteProfile
		}
		left -= len(value) + 2
		h.Extension = false // lest it be looked for among the others
		_ = h.SetExtension(id, value)
	}
	h.Extension, h.ExtensionProfile = len(h.Extensions) > 0, profile
}

// firstSource is the number of a track's first source.
const firstSource = 1

// rewriteDescriptor returns the dependency descriptor of a packet as the subscriber
// is to see it: its frame numbers continue from source to source, and what it
// calls active is what is sent. One that was not understood makes sense with the first
// source only. The caller holds the lock.
func (d *downTrack) rewriteDescriptor(value []byte, f *codecs.Frame, source uint8, change *layers.Change) ([]byte, bool) {
	if !f.Dependency.Known {
		return value, source == firstSource
	}
	active := change.ActiveLayers(&f.Dependency)
	if active == 0 && change.FrameNumber == 0 {
		return value, true
	}
	d.descriptor = codecs.RewriteDependencyDescriptor(d.descriptor[:0], value, f, change.Renumbering, active)
	return d.descriptor, true
}
