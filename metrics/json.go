package metrics

import (
	"cmp"
	"slices"
	"time"

	"galene/conn"
	"galene/group"
	"galene/rtpconn"
)

// GroupStats is one group, with the field names that it has in JSON.
type GroupStats struct {
	Name    string        `json:"name"`
	Clients []ClientStats `json:"clients,omitempty"` // by ID
}

// ClientStats is one member of a group, and what it sends and is sent.
type ClientStats struct {
	ID   string            `json:"id"`
	Up   []ConnectionStats `json:"up,omitempty"`   // by ID
	Down []ConnectionStats `json:"down,omitempty"` // by ID
}

// ConnectionStats is one stream.
type ConnectionStats struct {
	ID     string       `json:"id"`
	Tracks []TrackStats `json:"tracks"` // null if there are none yet
}

// TrackStats is one track. The layers are those of tracks that are sent to a
// client; what follows them may be absent.
type TrackStats struct {
	Bitrate    uint64       `json:"bitrate"`              // bit/s
	MaxBitrate uint64       `json:"maxBitrate,omitempty"` // bit/s; absent if there is no limit
	Loss       float64      `json:"loss"`                 // from 0 to 1
	Jitter     Milliseconds `json:"jitter,omitempty"`
	RTT        Milliseconds `json:"rtt,omitempty"`
	Sid        *uint8       `json:"sid,omitempty"`
	MaxSid     *uint8       `json:"maxSid,omitempty"`
	Tid        *uint8       `json:"tid,omitempty"`
	MaxTid     *uint8       `json:"maxTid,omitempty"`

	Kind  string `json:"kind"`
	Codec string `json:"codec"`
	RID   string `json:"rid,omitempty"`

	Packets        uint64 `json:"packets,omitempty"`
	Bytes          uint64 `json:"bytes,omitempty"`
	Lost           uint64 `json:"lost,omitempty"`           // packets
	NACKs          uint64 `json:"nacks,omitempty"`          // packets that were asked for again
	PLIs           uint64 `json:"plis,omitempty"`           // requests for keyframes, FIR included
	Retransmitted  uint64 `json:"retransmitted,omitempty"`  // packets
	Malformed      uint64 `json:"malformed,omitempty"`      // packets of a publisher
	DroppedByLayer uint64 `json:"droppedByLayer,omitempty"` // packets
	DroppedByQueue uint64 `json:"droppedByQueue,omitempty"` // packets that could not be sent
	TargetSid      *uint8 `json:"targetSid,omitempty"`
	TargetTid      *uint8 `json:"targetTid,omitempty"`
	PauseReason    string `json:"pauseReason,omitempty"`
}

// Milliseconds is a duration as a number of JSON.
type Milliseconds float64

func milliseconds(d time.Duration) Milliseconds {
	return Milliseconds(float64(d) / float64(time.Millisecond))
}

// Stats returns all groups in memory, by name, with their members and what those
// send and are sent. It is never nil. Members without a connection of the engine's
// have an ID only.
func (c *Collector) Stats() []GroupStats {
	ups, downs := c.options.Engine.Connections()
	upOf, downOf := byOwner(ups, upTrack), byOwner(downs, downTrack)
	groups := []GroupStats{}
	for _, g := range c.options.Registry.Groups() {
		groups = append(groups, groupStats(g, upOf, downOf))
	}
	return groups
}

type connectionsOf map[rtpconn.Owner][]ConnectionStats

func groupStats(g *group.Group, ups, downs connectionsOf) GroupStats {
	stats := GroupStats{Name: g.Name()}
	for _, m := range g.Members() {
		owner := rtpconn.Owner{Group: stats.Name, Client: m.ID}
		stats.Clients = append(stats.Clients, ClientStats{ID: m.ID, Up: ups[owner], Down: downs[owner]})
	}
	slices.SortFunc(stats.Clients, func(a, b ClientStats) int { return cmp.Compare(a.ID, b.ID) })
	return stats
}

// byOwner sorts connections by their owners and, for each, by their identifiers.
func byOwner(connections []rtpconn.ConnectionStats, describe func(rtpconn.TrackStats) TrackStats) connectionsOf {
	of := make(connectionsOf)
	for _, c := range connections {
		stats := ConnectionStats{ID: c.ID}
		for _, t := range c.Tracks {
			stats.Tracks = append(stats.Tracks, describe(t))
		}
		of[c.Owner] = append(of[c.Owner], stats)
	}
	for _, list := range of {
		slices.SortFunc(list, func(a, b ConnectionStats) int { return cmp.Compare(a.ID, b.ID) })
	}
	return of
}

// upTrack describes a track of a publisher.
func upTrack(t rtpconn.TrackStats) TrackStats {
	stats := TrackStats{
		Bitrate: t.Bitrate,
		Loss:    t.Loss,
		Jitter:  milliseconds(t.Jitter),
		RTT:     milliseconds(t.RoundTrip),

		Kind:  t.Kind.String(),
		Codec: t.Codec,
		RID:   t.RID,

		Packets:        t.Packets,
		Bytes:          t.Bytes,
		Lost:           t.Lost,
		NACKs:          t.NACKs,
		PLIs:           t.PLIs + t.FIRs,
		Retransmitted:  t.Retransmitted,
		Malformed:      t.Malformed,
		DroppedByLayer: t.LayerDrops,
		DroppedByQueue: t.SendErrors,
	}
	if t.MaxBitrate != conn.Unlimited {
		stats.MaxBitrate = t.MaxBitrate
	}
	return stats
}

// downTrack describes a track that is sent to a client.
func downTrack(t rtpconn.TrackStats) TrackStats {
	stats := upTrack(t)
	l := t.Layers
	stats.Sid, stats.MaxSid = &l.Spatial, &l.MaxSpatial
	stats.Tid, stats.MaxTid = &l.Temporal, &l.MaxTemporal
	if l.MaxSpatial > 0 || l.MaxTemporal > 0 {
		stats.TargetSid, stats.TargetTid = &l.TargetSpatial, &l.TargetTemporal
	}
	stats.PauseReason = l.Paused
	return stats
}
