package metrics

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"galene/internal/testkit"
	"galene/turnserver"
)

// fixedRelay is a TURN server of which only the figures matter.
type fixedRelay struct{}

func (fixedRelay) Stats() turnserver.Stats { return turnserver.Stats{Allocations: 3, Denied: 4} }

func withEverything(o *Options) { o.Relay, o.GroupNames = fixedRelay{}, true }

// ourNames are the names of all our metrics.
func ourNames() []string {
	names := []string{"galene_join_duration_seconds"}
	for _, f := range families() {
		names = append(names, f.name)
	}
	return names
}

func TestMetricsAreConsistentAndWellNamed(t *testing.T) {
	t.Parallel()
	h := newHouse(t, withEverything, "room")
	h.join("1", "room", "anna")
	pedantic := prometheus.NewPedanticRegistry()
	if err := pedantic.Register(newExporter(h.Collector)); err != nil {
		t.Fatal(err)
	}
	problems, err := testutil.GatherAndLint(pedantic)
	if err != nil || len(problems) > 0 {
		t.Errorf("the linter finds %v, %v", problems, err)
	}
	for _, name := range ourNames() {
		if n, err := testutil.GatherAndCount(pedantic, name); n == 0 || err != nil {
			t.Errorf("%s has %d metrics, %v, want some", name, n, err)
		}
	}
	if n, err := testutil.GatherAndCount(h.registry, "go_goroutines"); n != 1 || err != nil {
		t.Errorf("goroutines are counted %d times, %v, want once", n, err)
	}
}

func TestScrapeIsWhatPrometheusReads(t *testing.T) {
	t.Parallel()
	h := newHouse(t, withEverything, "a", "b")
	for _, c := range []struct{ id, group string }{{"1", "a"}, {"2", "b"}, {"3", "b"}} {
		h.join(c.id, c.group, "somebody")
	}
	web := httptest.NewServer(h.Handler())
	defer web.Close()
	const want = `# HELP galene_build_info Version of the server; the value is 1.
# TYPE galene_build_info gauge
galene_build_info{version="v1"} 1
# HELP galene_clients Members of groups.
# TYPE galene_clients gauge
galene_clients{kind="system"} 0
galene_clients{kind="websocket"} 3
galene_clients{kind="whip"} 0
# HELP galene_group_clients Members of a group.
# TYPE galene_group_clients gauge
galene_group_clients{group="a"} 1
galene_group_clients{group="b"} 2
# HELP galene_groups Groups in memory.
# TYPE galene_groups gauge
galene_groups 2
# HELP galene_sessions Clients that are connected, members of groups or not.
# TYPE galene_sessions gauge
galene_sessions 3
# HELP galene_turn_allocations Allocations of the built-in TURN server.
# TYPE galene_turn_allocations gauge
galene_turn_allocations 3
# HELP galene_turn_denied_total What the built-in TURN server refused.
# TYPE galene_turn_denied_total counter
galene_turn_denied_total 4
`
	err := testutil.ScrapeAndCompare(web.URL, strings.NewReader(want), "galene_build_info", "galene_clients",
		"galene_group_clients", "galene_groups", "galene_sessions", "galene_turn_allocations", "galene_turn_denied_total")
	if err != nil {
		t.Error(err)
	}
}

func TestMetricsMoveAsMediaFlows(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil, "room")
	moving := []string{
		"galene_rtp_packets_total in audio", "galene_rtp_packets_total in video",
		"galene_rtp_packets_total out audio", "galene_rtp_packets_total out video",
		"galene_rtp_bytes_total in audio", "galene_rtp_bytes_total in video",
		"galene_rtp_bytes_total out audio", "galene_rtp_bytes_total out video",
		"galene_udp_datagrams_total in", "galene_udp_datagrams_total out",
		"galene_udp_bytes_total in", "galene_udp_bytes_total out",
		"galene_udp_calls_total in", "galene_udp_calls_total out",
	}
	for _, name := range moving {
		if value, ok := h.values()[name]; value != 0 || !ok {
			t.Errorf("%s is %v, %v, before anything happens, want 0", name, value, ok)
		}
	}
	sender, receiver := h.join("sender", "room", "anna"), h.join("receiver", "room", "carl")
	published := h.play(sender, "stream")
	h.receive(receiver)
	first := h.values()
	for name, want := range map[string]float64{
		"galene_streams in": 1, "galene_streams out": 1,
		"galene_tracks in audio": 1, "galene_tracks in video": 1,
		"galene_tracks out audio": 1, "galene_tracks out video": 1,
		"galene_join_duration_seconds": 1,
	} {
		if first[name] != want {
			t.Errorf("%s is %v while media flows, want %v", name, first[name], want)
		}
	}
	h.eventually("everything moves", func() bool {
		later := h.values()
		return !slices.ContainsFunc(moving, func(name string) bool { return later[name] <= first[name] })
	})

	before := h.values()
	if err := published.Close(); err != nil {
		t.Fatal(err)
	}
	h.eventually("the streams end", func() bool {
		now := h.values()
		return now["galene_streams in"]+now["galene_streams out"]+now["galene_tracks in video"]+now["galene_tracks out video"] == 0
	})
	after := h.values()
	for _, name := range moving {
		if after[name] < before[name] {
			t.Errorf("%s went down from %v to %v", name, before[name], after[name])
		}
	}
}

// eventually waits until ok returns true.
func (h *house) eventually(what string, ok func() bool) {
	h.tb.Helper()
	for !ok() {
		if h.ctx.Err() != nil {
			h.tb.Fatalf("not in time: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestMetricsNameNobody(t *testing.T) {
	t.Parallel()
	for _, named := range []bool{false, true} {
		h := newHouse(t, func(o *Options) { o.GroupNames = named }, "secretgroup")
		c := h.join("secretclient", "secretgroup", "secretuser")
		h.play(c, "secretstream")
		text := h.scrape()
		for _, secret := range []string{"secretclient", "secretuser", "secretstream", "127.0.0.1"} {
			if strings.Contains(text, secret) {
				t.Errorf("with group names %v, metrics contain %s", named, secret)
			}
		}
		if got := strings.Contains(text, "secretgroup"); got != named {
			t.Errorf("metrics name the group: %v, want %v", got, named)
		}
	}
}

func TestNamedGroupsAreBounded(t *testing.T) {
	t.Parallel()
	s := &snapshot{named: true}
	for i := range maxNamedGroups + 10 {
		s.groups = append(s.groups, groupCount{name: fmt.Sprint(i), clients: 1})
	}
	count := 0
	collectGroupClients(s, func(float64, ...string) { count++ })
	if count != maxNamedGroups {
		t.Errorf("%d of %d groups are named, want %d", count, len(s.groups), maxNamedGroups)
	}
	collectGroups(s, func(value float64, _ ...string) {
		if value != maxNamedGroups+10 {
			t.Errorf("%v groups are counted, want %d", value, len(s.groups))
		}
	})
}

func TestStrangeNamesDoNoHarm(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *Options) { o.Version = "\xff\"\n" })
	if text := h.scrape(); !strings.Contains(text, `galene_build_info{version="?\"\n"} 1`) {
		t.Errorf("a strange version is not escaped in\n%s", text)
	}
}

// comeAndGo joins, publishes, receives for a moment, and leaves.
func (h *house) comeAndGo(id string) error {
	c, err := testkit.Dial(h.ctx, h.endpoint, testkit.ClientOptions{ID: id})
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Join(h.ctx, "room", "somebody", ""); err != nil {
		return err
	}
	if err := c.Subscribe(); err != nil {
		return err
	}
	p, err := c.Publish(h.ctx, testkit.StreamOptions{Sources: []*testkit.Source{
		testkit.NewSource(testkit.SourceOptions{Codec: testkit.VP8}),
	}})
	if err != nil {
		return err
	}
	if err := p.WaitConnected(h.ctx); err != nil {
		return err
	}
	return p.Tracks[0].SendFrame()
}

func TestStatisticsMayBeReadWhileClientsComeAndGo(t *testing.T) {
	t.Parallel()
	const clients, together = 50, 5
	h := newHouse(t, withEverything, "room")
	var coming sync.WaitGroup
	failed := make(chan error, clients)
	for i := range together {
		coming.Go(func() {
			for n := range clients / together {
				if err := h.comeAndGo(fmt.Sprint(i, "-", n)); err != nil {
					failed <- err
				}
			}
		})
	}
	over := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() {
		last := make(map[string]float64)
		for done := false; !done; {
			select {
			case <-over:
				done = true
			case <-time.After(time.Millisecond):
			}
			now := h.values()
			for name, value := range last {
				if strings.Contains(name, "_total") && now[name] < value {
					t.Errorf("%s went down from %v to %v", name, value, now[name])
				}
			}
			last = now
			h.Stats()
		}
	})
	coming.Wait()
	close(over)
	reading.Wait()
	close(failed)
	var errs []error
	for err := range failed {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	h.eventually("everybody has gone", func() bool {
		now := h.values()
		return now["galene_sessions"]+now["galene_clients websocket"]+now["galene_streams in"]+now["galene_streams out"] == 0
	})
	if got := h.values()["galene_rtp_packets_total in video"]; got == 0 {
		t.Error("no packet was counted")
	}
}
