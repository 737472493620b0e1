package metrics

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"galene/codecs"
	"galene/conn"
	"galene/rtpconn"
)

func TestJSONOfTracks(t *testing.T) {
	t.Parallel()
	video := rtpconn.TrackStats{Kind: codecs.Video, Codec: "video/VP8", MaxBitrate: conn.Unlimited}
	full := rtpconn.TrackStats{
		Kind: codecs.Video, Codec: "video/VP9", RID: "h",
		Counts: rtpconn.Counts{
			Packets: 1, Bytes: 2, Lost: 3, NACKs: 4, PLIs: 5, FIRs: 6, Retransmitted: 7, Malformed: 8, LayerDrops: 9, SendErrors: 10,
		},
		Bitrate: 600_000, MaxBitrate: 700_000, Loss: 0.25, Jitter: 1500 * time.Microsecond, RoundTrip: 20 * time.Millisecond,
		Layers: rtpconn.LayerStats{Spatial: 1, MaxSpatial: 2, MaxTemporal: 2, TargetSpatial: 2, TargetTemporal: 1, Paused: "slow"},
	}
	tests := []struct {
		name string
		got  TrackStats
		want string
	}{
		{
			"up, at first", upTrack(video),
			`{"bitrate":0,"loss":0,"kind":"video","codec":"video/VP8"}`,
		},
		{
			"down, at first: all layers are the lowest ones", downTrack(video),
			`{"bitrate":0,"loss":0,"sid":0,"maxSid":0,"tid":0,"maxTid":0,"kind":"video","codec":"video/VP8"}`,
		},
		{
			"up, with everything", upTrack(full),
			`{"bitrate":600000,"maxBitrate":700000,"loss":0.25,"jitter":1.5,"rtt":20,` +
				`"kind":"video","codec":"video/VP9","rid":"h","packets":1,"bytes":2,"lost":3,"nacks":4,"plis":11,` +
				`"retransmitted":7,"malformed":8,"droppedByLayer":9,"droppedByQueue":10}`,
		},
		{
			"down, with everything", downTrack(full),
			`{"bitrate":600000,"maxBitrate":700000,"loss":0.25,"jitter":1.5,"rtt":20,` +
				`"sid":1,"maxSid":2,"tid":0,"maxTid":2,` +
				`"kind":"video","codec":"video/VP9","rid":"h","packets":1,"bytes":2,"lost":3,"nacks":4,"plis":11,` +
				`"retransmitted":7,"malformed":8,"droppedByLayer":9,"droppedByQueue":10,` +
				`"targetSid":2,"targetTid":1,"pauseReason":"slow"}`,
		},
	}
	for _, tt := range tests {
		if got, err := json.Marshal(tt.got); string(got) != tt.want || err != nil {
			t.Errorf("%s: got  %s, %v\nwant %s", tt.name, got, err, tt.want)
		}
	}
}

func TestJSONOfGroups(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil, "a", "b", "unused")
	if got, err := json.Marshal(h.Stats()); string(got) != "[]" || err != nil {
		t.Errorf("without groups: %s, %v, want []", got, err)
	}
	for _, c := range []struct{ id, group string }{{"2", "b"}, {"1", "b"}, {"9", "a"}} {
		h.join(c.id, c.group, "somebody")
	}
	const want = `[{"name":"a","clients":[{"id":"9"}]},{"name":"b","clients":[{"id":"1"},{"id":"2"}]}]`
	if got, err := json.Marshal(h.Stats()); string(got) != want || err != nil {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}

// object and list are what JSON decodes to.
type (
	object = map[string]any
	list   = []any
)

// decoded returns the statistics as somebody sees them who gets the JSON.
func (h *house) decoded() (groups list) {
	h.tb.Helper()
	text, err := json.Marshal(h.Stats())
	if err == nil {
		err = json.Unmarshal(text, &groups)
	}
	if err != nil {
		h.tb.Fatal(err)
	}
	return groups
}

// checkTrack fails unless a track has the members that it must have, and no
// others than it may.
func checkTrack(t *testing.T, track object, down bool) {
	t.Helper()
	required := []string{"bitrate", "maxBitrate", "loss", "kind", "codec"}
	optional := []string{"jitter", "rtt", "packets", "bytes", "lost", "nacks", "plis", "retransmitted"}
	if down {
		required = append(required, "sid", "maxSid", "tid", "maxTid")
	}
	for _, name := range required {
		if _, ok := track[name]; !ok {
			t.Errorf("track %v has no %s", track, name)
		}
	}
	for name := range maps.Keys(track) {
		if !slices.Contains(required, name) && !slices.Contains(optional, name) {
			t.Errorf("track %v has %s", track, name)
		}
	}
}

func TestJSONFollowsWhatFlows(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil, "room")
	sender, receiver := h.join("sender", "room", "anna"), h.join("receiver", "room", "carl")
	published := h.play(sender, "stream")
	h.receive(receiver)

	var up, down list
	flowing := func(tracks list) bool {
		return len(tracks) == 2 && !slices.ContainsFunc(tracks, func(track any) bool {
			return track.(object)["bitrate"] == 0.0
		})
	}
	for !flowing(up) || !flowing(down) {
		if h.ctx.Err() != nil {
			t.Fatalf("no rates: up %v, down %v", up, down)
		}
		time.Sleep(20 * time.Millisecond)
		clients := h.decoded()[0].(object)["clients"].(list)
		up, down = tracksOf(t, clients[1], "sender", "up"), tracksOf(t, clients[0], "receiver", "down")
	}
	for _, track := range up {
		checkTrack(t, track.(object), false)
	}
	for _, track := range down {
		checkTrack(t, track.(object), true)
	}

	if err := published.Close(); err != nil {
		t.Fatal(err)
	}
	const want = `[{"name":"room","clients":[{"id":"receiver"},{"id":"sender"}]}]`
	for {
		got, err := json.Marshal(h.Stats())
		if string(got) == want {
			break
		}
		if h.ctx.Err() != nil {
			t.Fatalf("after the end: %s, %v, want %s", got, err, want)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// tracksOf returns the tracks of a client's only connection of one direction.
func tracksOf(t *testing.T, client any, id, direction string) list {
	t.Helper()
	c := client.(object)
	connections, _ := c[direction].(list)
	if c["id"] != id || len(connections) != 1 {
		t.Fatalf("client %v, want %s with one connection %s", c, id, direction)
	}
	connection := connections[0].(object)
	if connection["id"] != "stream" {
		t.Fatalf("connection %v, want that of the stream", connection)
	}
	return connection["tracks"].(list)
}
