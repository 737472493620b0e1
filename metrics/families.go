package metrics

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"galene/rtpconn"
)

// emit takes one value of a family, with the values of its labels.
type emit func(value float64, labels ...string)

// family is one metric with all its labels' values.
type family struct {
	name, help string
	labels     []string
	kind       prometheus.ValueType
	collect    func(s *snapshot, emit emit)
}

// Shorthands, as most families are of these kinds.
const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
)

// families lists all metrics but for the histogram.
func families() []family {
	media := []string{"direction", "kind"}
	direction := []string{"direction"}
	return []family{
		{"galene_build_info", "Version of the server; the value is 1.", []string{"version"}, gauge, collectVersion},
		{"galene_groups", "Groups in memory.", nil, gauge, collectGroups},
		{"galene_clients", "Members of groups.", []string{"kind"}, gauge, collectClients},
		{"galene_sessions", "Clients that are connected, members of groups or not.", nil, gauge, collectSessions},
		{"galene_group_clients", "Members of a group.", []string{"group"}, gauge, collectGroupClients},
		{"galene_group_streams", "Streams that are published in a group.", []string{"group"}, gauge, collectGroupStreams},

		{"galene_streams", "Streams that clients send or are sent.", direction, gauge, collectStreams},
		{
			"galene_tracks", "Tracks that clients send or are sent.", media, gauge,
			ofTotals(func(t *rtpconn.Totals) uint64 { return uint64(t.Tracks) }),
		},
		{
			"galene_rtp_packets_total", "RTP packets of media, what the server sends again left out.", media, counter,
			ofTotals(func(t *rtpconn.Totals) uint64 { return t.Packets }),
		},
		{
			"galene_rtp_bytes_total", "Bytes of these packets, with RTP headers.", media, counter,
			ofTotals(func(t *rtpconn.Totals) uint64 { return t.Bytes }),
		},
		{
			"galene_rtp_lost_packets_total", "RTP packets that never arrived.", media, counter,
			ofTotals(func(t *rtpconn.Totals) uint64 { return t.Lost }),
		},
		{
			"galene_rtp_nack_packets_total", "RTP packets that their receiver asked for again.", media, counter,
			ofTotals(func(t *rtpconn.Totals) uint64 { return t.NACKs }),
		},
		{
			"galene_rtp_retransmitted_packets_total", "RTP packets that were sent again.", media, counter,
			ofTotals(func(t *rtpconn.Totals) uint64 { return t.Retransmitted }),
		},
		{
			"galene_keyframe_requests_total", "Requests for keyframes: of the server's for what clients send, of clients for what they are sent.",
			[]string{"direction", "type"},
			counter, collectKeyframes,
		},
		{"galene_dropped_packets_total", "Packets that were not handed on.", []string{"reason"}, counter, collectDrops},

		{"galene_udp_datagrams_total", "Datagrams on the ports for media.", direction, counter, collectDatagrams},
		{"galene_udp_bytes_total", "Bytes of these datagrams, without UDP headers.", direction, counter, collectOctets},
		{"galene_udp_calls_total", "System calls for these datagrams.", direction, counter, collectCalls},
		{"galene_turn_allocations", "Allocations of the built-in TURN server.", nil, gauge, collectAllocations},
		{"galene_turn_denied_total", "What the built-in TURN server refused.", nil, counter, collectDenied},
	}
}

func collectVersion(s *snapshot, emit emit) { emit(1, strings.ToValidUTF8(s.version, "?")) }

func collectGroups(s *snapshot, emit emit) { emit(float64(len(s.groups))) }

func collectClients(s *snapshot, emit emit) {
	for kind, count := range s.clients {
		emit(float64(count), kind.String())
	}
}

func collectSessions(s *snapshot, emit emit) {
	if s.sessions != nil {
		emit(float64(*s.sessions))
	}
}

func collectGroupClients(s *snapshot, emit emit) {
	for _, g := range s.namedGroups() {
		emit(float64(g.clients), strings.ToValidUTF8(g.name, "?"))
	}
}

func collectGroupStreams(s *snapshot, emit emit) {
	for _, g := range s.namedGroups() {
		emit(float64(g.streams), strings.ToValidUTF8(g.name, "?"))
	}
}

func collectStreams(s *snapshot, emit emit) {
	emit(float64(s.engine.Up.Connections), in)
	emit(float64(s.engine.Down.Connections), out)
}

// ofTotals collects one figure for each direction and kind of media.
func ofTotals(figure func(*rtpconn.Totals) uint64) func(*snapshot, emit) {
	return func(s *snapshot, emit emit) {
		s.totals(func(direction, kind string, t *rtpconn.Totals) {
			emit(float64(figure(t)), direction, kind)
		})
	}
}

func collectKeyframes(s *snapshot, emit emit) {
	for _, d := range []struct {
		direction string
		video     *rtpconn.Totals
	}{{in, &s.engine.Up.Video}, {out, &s.engine.Down.Video}} {
		emit(float64(d.video.PLIs), d.direction, "pli")
		emit(float64(d.video.FIRs), d.direction, "fir")
	}
}

// collectDrops tells why packets were dropped, from their arrival to the
// system's refusal to send them.
func collectDrops(s *snapshot, emit emit) {
	up, down := &s.engine.Up, &s.engine.Down
	emit(float64(up.Audio.Malformed+up.Video.Malformed), "malformed")
	emit(float64(down.Audio.LayerDrops+down.Video.LayerDrops), "layer")
	emit(float64(down.Audio.SendErrors+down.Video.SendErrors), "connection")
	if s.sockets == nil {
		return
	}
	mux, sockets := &s.sockets.mux, &s.sockets.sockets
	emit(float64(mux.UnknownSource), "unknown_source")
	emit(float64(mux.UnknownDestination), "unknown_destination")
	emit(float64(mux.Truncated), "truncated")
	emit(float64(mux.QueueDrops), "receive_queue")
	emit(float64(sockets.Dropped), "send_buffer")
	emit(float64(sockets.SendErrors), "send_error")
}

func collectDatagrams(s *snapshot, emit emit) {
	if s.sockets != nil {
		emit(float64(s.sockets.sockets.Received), in)
		emit(float64(s.sockets.sockets.Sent), out)
	}
}

func collectOctets(s *snapshot, emit emit) {
	if s.sockets != nil {
		emit(float64(s.sockets.sockets.ReceivedOctets), in)
		emit(float64(s.sockets.sockets.SentOctets), out)
	}
}

func collectCalls(s *snapshot, emit emit) {
	if s.sockets != nil {
		emit(float64(s.sockets.sockets.ReceiveCalls), in)
		emit(float64(s.sockets.sockets.SendCalls), out)
	}
}

func collectAllocations(s *snapshot, emit emit) {
	if s.relay != nil {
		emit(float64(s.relay.Allocations))
	}
}

func collectDenied(s *snapshot, emit emit) {
	if s.relay != nil {
		emit(float64(s.relay.Denied))
	}
}
