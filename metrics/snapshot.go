package metrics

import (
	"galene/codecs"
	"galene/group"
	"galene/rtpconn"
	"galene/turnserver"
	"galene/udpmux"
	"galene/udpsocket"
)

// maxNamedGroups bounds the groups that metrics name: the first ones by name. What
// is not named is in the sums all the same.
const maxNamedGroups = 1000

// snapshot is what one scrape has found.
type snapshot struct {
	version  string
	groups   []groupCount // by name
	clients  map[group.MemberKind]int
	named    bool // whether groups may be named
	sessions *int
	engine   rtpconn.EngineStats
	sockets  *socketStats      // nil if there are none
	relay    *turnserver.Stats // nil if there is none
}

// groupCount is how many members and streams a group has.
type groupCount struct {
	name             string
	clients, streams int
}

type socketStats struct {
	mux     udpmux.Stats
	sockets udpsocket.Stats
}

// snapshot asks everybody once.
func (c *Collector) snapshot() *snapshot {
	o := &c.options
	s := &snapshot{version: o.Version, named: o.GroupNames, engine: o.Engine.Stats()}
	s.count(o.Registry)
	if o.Sessions != nil {
		sessions := o.Sessions()
		s.sessions = &sessions
	}
	if o.Sockets != nil {
		s.sockets = &socketStats{o.Sockets.Stats(), o.Sockets.SocketStats()}
	}
	if o.Relay != nil {
		relay := o.Relay.Stats()
		s.relay = &relay
	}
	return s
}

// count counts groups and members.
func (s *snapshot) count(r *group.Registry) {
	s.clients = map[group.MemberKind]int{group.WebSocketMember: 0, group.WHIPMember: 0, group.SystemMember: 0}
	for _, g := range r.Groups() {
		members := g.Members()
		for _, m := range members {
			s.clients[m.Kind]++
		}
		s.groups = append(s.groups, groupCount{g.Name(), len(members), len(g.Streams(nil))})
	}
}

// namedGroups returns the groups that may be named.
func (s *snapshot) namedGroups() []groupCount {
	if !s.named {
		return nil
	}
	return s.groups[:min(len(s.groups), maxNamedGroups)]
}

// The values of the label "direction": what clients send, and what they are sent.
const (
	in  = "in"
	out = "out"
)

// totals calls f for each direction and kind of media.
func (s *snapshot) totals(f func(direction, kind string, t *rtpconn.Totals)) {
	audio, video := codecs.Audio.String(), codecs.Video.String()
	f(in, audio, &s.engine.Up.Audio)
	f(in, video, &s.engine.Up.Video)
	f(out, audio, &s.engine.Down.Audio)
	f(out, video, &s.engine.Down.Video)
}
