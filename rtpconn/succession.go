package rtpconn

import (
	"slices"
	"time"
)

// claim says which source an encoding has, from that one's first packet on.
//
// A source that names an encoding (RFC 8852 §3.1) which another source has takes its
// place, as after a collision (RFC 3550 §8.2). Pion then changes what the readers of
// the one track read from, under their hands. So the reader of the former source has
// to end before Pion sees a packet of the next:
//
//	             first packet        Pion tells of it        a packet of another
//	(unclaimed) ────────────▶ claimed ──────────────▶ read ───────────────────────▶ claimed
//	      ▲                                            │            by the other
//	      └────────────────────────────────────────────┘
//	                     the reader ends
//
// Packets of others that come while Pion has yet to tell are dropped; and whoever
// has lost its place does not come back.
type claim struct {
	mid, rid string
	ssrc     uint32
}

// claimed returns the claim to an encoding, or nil. The caller holds the lock.
func (g *ingress) claimed(mid, rid string) *claim {
	for i := range g.claims {
		if c := &g.claims[i]; c.mid == mid && c.rid == rid {
			return c
		}
	}
	return nil
}

// disclaim forgets that in has its encoding, if it still does. The caller holds the
// lock.
func (g *ingress) disclaim(in *ingest) {
	g.claims = slices.DeleteFunc(g.claims, func(c claim) bool {
		return c == claim{in.track.mid, in.track.rid, in.source.ssrc}
	})
}

// settle decides about a packet from a source of which Pion has told nothing: whether
// Pion may see it, and which reader has to end before that, or nil. heard
// belongs to the source, and tells that it has claimed an encoding before. The
// caller holds the lock.
func (g *ingress) settle(ssrc uint32, said *received, heard *bool) (admitted bool, former *ingest) {
	if len(said.rid) == 0 {
		return true, nil
	}
	t := g.up.tracks.Load().find(string(said.mid), string(said.rid))
	if t == nil {
		return true, nil // nor will Pion know it
	}
	c := g.claimed(t.mid, t.rid)
	switch {
	case c != nil && c.ssrc == ssrc:
		return true, nil
	case *heard:
		return false, nil
	case c == nil:
		g.claims = append(g.claims, claim{t.mid, t.rid, ssrc})
	default:
		if former = g.find(c.ssrc); former == nil {
			return false, nil
		}
		c.ssrc = ssrc
	}
	*heard = true
	return true, former
}

// supersede ends the reader of a source that another one takes the place of.
func (u *Up) supersede(in *ingest) {
	in.superseded.Store(true)
	_ = in.remote.SetReadDeadline(time.Unix(1, 0)) // fails if there is nothing to be read any more
	select {
	case <-in.done:
	case <-u.ctx.Done():
	}
}
