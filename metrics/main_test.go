package metrics

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"galene/group"
	"galene/internal/testkit"
	"galene/rtpconn"
	"galene/signalling"
	"galene/udpmux"
)

func TestMain(m *testing.M) { testkit.VerifyNoLeaks(m) }

// house is a server with a collector.
type house struct {
	*Collector
	tb       testing.TB
	ctx      context.Context
	endpoint string
}

// newHouse returns a server with open groups.
func newHouse(tb testing.TB, change func(*Options), groups ...string) *house {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), testkit.Patience)
	tb.Cleanup(cancel)
	log := slog.New(slog.DiscardHandler)
	directory := tb.TempDir()
	for _, name := range groups {
		if err := os.WriteFile(filepath.Join(directory, name+".json"), []byte(testkit.OpenGroup), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	mux, err := udpmux.Listen(udpmux.Options{Loopback: true, Log: log})
	if err != nil {
		tb.Fatal(err)
	}
	engine, err := rtpconn.NewEngine(rtpconn.Options{Mux: mux, Loopback: true, Log: log})
	if err != nil {
		tb.Fatal(err)
	}
	registry := group.NewRegistry(group.Options{Directory: directory, Log: log})
	sessions := signalling.NewServer(signalling.Options{Registry: registry, Engine: engine, Log: log})
	web := httptest.NewServer(http.HandlerFunc(sessions.ServeWebSocket))
	tb.Cleanup(func() {
		sessions.Shutdown(context.WithoutCancel(tb.Context()))
		web.Close()
		if err := errors.Join(engine.Close(), mux.Close()); err != nil {
			tb.Error(err)
		}
	})
	options := Options{
		Registry: registry, Engine: engine, Sessions: sessions.Sessions, Sockets: mux, Version: "v1", Log: log,
	}
	if change != nil {
		change(&options)
	}
	c, err := New(options)
	if err != nil {
		tb.Fatal(err)
	}
	return &house{c, tb, ctx, "ws" + strings.TrimPrefix(web.URL, "http") + "/ws"}
}

// join returns a client that is in a group, and wants everything.
func (h *house) join(id, group, username string) *testkit.Client {
	h.tb.Helper()
	c, err := testkit.Dial(h.ctx, h.endpoint, testkit.ClientOptions{ID: id})
	if err != nil {
		h.tb.Fatal(err)
	}
	h.tb.Cleanup(c.Close)
	if _, err := c.Join(h.ctx, group, username, ""); err != nil {
		h.tb.Fatal(err)
	}
	if err := c.Subscribe(); err != nil {
		h.tb.Fatal(err)
	}
	return c
}

// play publishes audio and video until the test ends or the stream is closed.
func (h *house) play(c *testkit.Client, id string) *testkit.Publication {
	h.tb.Helper()
	p, err := c.Publish(h.ctx, testkit.StreamOptions{ID: id, Sources: []*testkit.Source{
		testkit.NewSource(testkit.SourceOptions{Codec: testkit.Opus}),
		testkit.NewSource(testkit.SourceOptions{Codec: testkit.VP8, KeyframeEvery: 10}),
	}})
	if err == nil {
		err = p.WaitConnected(h.ctx)
	}
	if err != nil {
		h.tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(h.ctx)
	var playing sync.WaitGroup
	playing.Go(func() {
		if err := p.Play(ctx); err != nil {
			h.tb.Errorf("play: %v", err)
		}
	})
	h.tb.Cleanup(func() {
		cancel()
		playing.Wait()
	})
	return p
}

// receive waits until both tracks of the next stream have arrived.
func (h *house) receive(c *testkit.Client) {
	h.tb.Helper()
	s, err := c.WaitStream(h.ctx)
	if err == nil {
		_, err = s.WaitTracks(h.ctx, 2)
	}
	if err != nil {
		h.tb.Fatal(err)
	}
}

// scrape returns what Prometheus gets.
func (h *house) scrape() string {
	h.tb.Helper()
	w := httptest.NewRecorder()
	h.Handler().ServeHTTP(w, httptest.NewRequestWithContext(h.ctx, http.MethodGet, "/metrics", nil))
	text, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != http.StatusOK {
		h.tb.Fatalf("scraping: status %d, %v", w.Code, err)
	}
	return string(text)
}

// values returns the sum of the values of each of our metrics.
func (h *house) values() map[string]float64 {
	h.tb.Helper()
	families, err := h.registry.Gather()
	if err != nil {
		h.tb.Fatal(err)
	}
	sums := make(map[string]float64)
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "galene_") {
			continue
		}
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			sums[name] += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sums
}
