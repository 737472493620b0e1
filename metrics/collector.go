package metrics

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"galene/group"
	"galene/rtpconn"
	"galene/turnserver"
	"galene/udpmux"
	"galene/udpsocket"
)

// Sockets are the UDP sockets that all media goes through; [udpmux.Mux] is one.
type Sockets interface {
	Stats() udpmux.Stats
	SocketStats() udpsocket.Stats
}

// Relay is the built-in TURN server; [turnserver.Server] is one.
type Relay interface {
	Stats() turnserver.Stats
}

// Options are what a [Collector] asks. Everything must be safe to be called from
// any goroutine.
type Options struct {
	Registry *group.Registry
	Engine   *rtpconn.Engine
	// Sessions returns how many clients are connected, members of groups or not.
	// Nil leaves them out.
	Sessions func() int
	Sockets  Sockets // nil if each connection has sockets of its own
	Relay    Relay   // nil if there is none
	// GroupNames adds metrics of each group, by name.
	GroupNames bool
	// Version is what the server says of itself.
	Version string
	// Log takes errors of scraping; slog.Default() if nil.
	Log *slog.Logger
}

// Collector collects statistics. Its methods may be called from any goroutine.
type Collector struct {
	options  Options // immutable
	registry *prometheus.Registry
	handler  http.Handler
}

// maxScrapes bounds the scrapes that are answered at the same time.
const maxScrapes = 4

// New returns a collector. There can be any number of them in one process.
func New(o Options) (*Collector, error) {
	o.Log = cmp.Or(o.Log, slog.Default())
	c := &Collector{options: o, registry: prometheus.NewRegistry()}
	for _, part := range []prometheus.Collector{
		newExporter(c),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := c.registry.Register(part); err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
	}
	c.handler = promhttp.HandlerFor(c.registry, promhttp.HandlerOpts{
		ErrorLog:            errorLog{o.Log},
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes,
	})
	return c, nil
}

// Handler returns what serves the metrics to Prometheus, to whoever asks.
func (c *Collector) Handler() http.Handler { return c.handler }

// errorLog takes what promhttp has to say.
type errorLog struct{ log *slog.Logger }

// Println implements promhttp.Logger.
func (l errorLog) Println(v ...any) { l.log.Warn("metrics", "error", fmt.Sprint(v...)) }
