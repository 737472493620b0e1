package rtpconn

import (
	"time"

	"galene/codecs"
	"galene/rtptime"
)

// Owner says whose a connection is. It is for statistics only.
type Owner struct {
	Group  string // the group's name
	Client string // the member's id
}

// Counts is what was counted of RTP packets, of one track or of several, since
// the beginning. No count ever goes down. What is sent to us is counted of up
// tracks, what we send of down tracks.
type Counts struct {
	// Packets and Bytes are those of media; bytes are those of headers and
	// payloads, without extensions on the way down. What an up track's publisher
	// sends again is among them, what we send again is not.
	Packets, Bytes uint64
	// Lost is how many packets never arrived: by our own count, and by what
	// subscribers report.
	Lost uint64
	// NACKs is how many packets were asked for again: by us of a publisher, or
	// by a subscriber of us.
	NACKs uint64
	// PLIs and FIRs are requests for keyframes: ours, or a subscriber's.
	PLIs, FIRs uint64
	// Retransmitted is how many packets were sent again: on an SSRC of their
	// own by a publisher, or by us in any way.
	Retransmitted uint64
	// Malformed is how many packets of a publisher could not be read.
	Malformed uint64
	// LayerDrops is how many packets a subscriber was not sent because they are
	// of layers that it does not get.
	LayerDrops uint64
	// SendErrors is how many packets the connection to a subscriber refused.
	SendErrors uint64
}

// Add adds what another one counts.
func (c *Counts) Add(other Counts) {
	c.Packets += other.Packets
	c.Bytes += other.Bytes
	c.Lost += other.Lost
	c.NACKs += other.NACKs
	c.PLIs += other.PLIs
	c.FIRs += other.FIRs
	c.Retransmitted += other.Retransmitted
	c.Malformed += other.Malformed
	c.LayerDrops += other.LayerDrops
	c.SendErrors += other.SendErrors
}

// LayerStats is which layers of a track are sent to a subscriber. It is zero for
// a track that has one of each.
type LayerStats struct {
	Spatial, Temporal             uint8 // the highest that are sent
	MaxSpatial, MaxTemporal       uint8 // the highest that there are
	TargetSpatial, TargetTemporal uint8 // the highest that are to be sent as soon as possible
	// Paused is why nothing is sent, empty if it is.
	Paused string
}

// TrackStats is the state of one track, up or down.
type TrackStats struct {
	Kind  codecs.Kind
	Codec string // the MIME type
	RID   string // the encoding's, of up tracks with simulcast
	Counts

	Bitrate uint64 // of the last complete second, in bit/s, headers included
	// MaxBitrate is the most that the publisher is permitted, or that the
	// subscriber can take, in bit/s; conn.Unlimited if there is no limit.
	MaxBitrate uint64
	Loss       float64       // from 0 to 1, in the last interval that was reported
	Jitter     time.Duration // of arrival (RFC 3550 §6.4.1)
	RoundTrip  time.Duration // 0 if not measured yet
	Layers     LayerStats    // of down tracks
}

// ConnectionStats is the state of one connection.
type ConnectionStats struct {
	Owner  Owner
	ID     string // the stream's
	Tracks []TrackStats
}

// Stats returns the connection's present state. Forwarding does not wait for it.
func (u *Up) Stats() ConnectionStats {
	now := rtptime.Now()
	s := ConnectionStats{Owner: u.owner, ID: u.id}
	for _, t := range u.tracks.Load().own {
		track := t.counters.stats(now)
		track.Codec, track.RID = t.Format().MimeType, t.rid
		track.MaxBitrate = t.permittedRate(now)
		s.Tracks = append(s.Tracks, track)
	}
	return s
}

// Stats returns the connection's present state. Forwarding does not wait for it.
func (d *Down) Stats() ConnectionStats {
	now := rtptime.Now()
	s := ConnectionStats{Owner: d.owner, ID: d.up.ID()}
	for _, t := range *d.active.Load() {
		track := t.counters.stats(now)
		track.Codec = t.format.MimeType
		track.MaxBitrate = t.allow.Allowed(now)
		s.Tracks = append(s.Tracks, track)
	}
	return s
}

// Connections returns the state of all connections that are not being closed, in
// no order.
func (e *Engine) Connections() (ups, downs []ConnectionStats) {
	for _, c := range e.list() {
		switch c := c.(type) {
		case *Up:
			if !c.isEnding() {
				ups = append(ups, c.Stats())
			}
		case *Down:
			if !c.isEnding() {
				downs = append(downs, c.Stats())
			}
		}
	}
	return ups, downs
}
