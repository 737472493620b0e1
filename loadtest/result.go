package loadtest

import (
	"fmt"
	"math"
	"sync"
	"time"
)

// Result is what a run has measured. All but Failures, Clients and Join concerns the time of measuring only.
type Result struct {
	Scenario        Scenario `json:"scenario"`
	Seconds         float64  `json:"seconds"`
	Clients         int      `json:"clients"`          // that have joined
	Publishers      int      `json:"publishers"`       // that are connected
	DownConnections int      `json:"down_connections"` // that have received media
	Packets         Packets  `json:"packets"`
	Loss            float64  `json:"loss"` // part of the packets expected; 0 to 1
	Delay           Delay    `json:"delay_ms"`
	Join            Join     `json:"join_ms"`
	Chat            Chat     `json:"chat"`
	Failures        []string `json:"failures"`
	CPUSeconds      float64  `json:"cpu_seconds"` // that the load itself has used
	Start           int64    `json:"measure_start_unix_ns"`
	End             int64    `json:"measure_end_unix_ns"`
}

// Packets counts RTP packets.
type Packets struct {
	Sent       uint64 `json:"sent"`       // by publishers
	Expected   uint64 `json:"expected"`   // by receivers, from sequence numbers
	Received   uint64 `json:"received"`   // each once
	Lost       uint64 `json:"lost"`       // expected and not received
	Recovered  uint64 `json:"recovered"`  // received after they were asked for again
	Duplicates uint64 `json:"duplicates"` // received once more
	Corrupt    uint64 `json:"corrupt"`    // of those that were checked
}

// Delay is how long packets took from one socket of the load to the other, in milliseconds.
type Delay struct {
	P50     float64 `json:"p50"`
	P95     float64 `json:"p95"`
	P99     float64 `json:"p99"`
	Max     float64 `json:"max"`
	Samples uint64  `json:"samples"`
}

// Join is how long clients took to come in, in milliseconds.
type Join struct {
	Joined     Quantiles `json:"joined"`      // from connecting until the server said so
	FirstMedia Quantiles `json:"first_media"` // from connecting until the first packet of any stream
	// AllMedia is the time from when the first client that receives connected until every stream that is to be
	// received had brought media; 0 if some never did.
	AllMedia float64 `json:"all_media"`
}

// Quantiles are in milliseconds.
type Quantiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Chat is what became of the chat messages that were sent while measuring.
type Chat struct {
	Deliveries uint64  `json:"deliveries"` // to members other than the sender
	P50        float64 `json:"p50_ms"`
	P99        float64 `json:"p99_ms"`
}

// quantiles sums up h.
func quantiles(h *histogram) Quantiles {
	return Quantiles{P50: h.quantile(0.5), P99: h.quantile(0.99), Max: h.max()}
}

// milliseconds returns d in milliseconds, to the microsecond.
func milliseconds(d time.Duration) float64 { return round(float64(d) / float64(time.Millisecond)) }

func round(x float64) float64 { return math.Round(x*1000) / 1000 }

// maxFailures is how many different failures are kept.
const maxFailures = 20

// failures collects what went wrong. The zero value is empty; any goroutine may use it.
type failures struct {
	mu    sync.Mutex // guards the fields below
	texts []string   // different ones
	count []int      // how often each has happened
	more  int        // others that there was no room for
}

// add takes note of a failure. The same text counts as the same failure.
func (f *failures) add(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, t := range f.texts {
		if t == text {
			f.count[i]++
			return
		}
	}
	if len(f.texts) == maxFailures {
		f.more++
		return
	}
	f.texts = append(f.texts, text)
	f.count = append(f.count, 1)
}

// list returns them in the order of their first appearance. It is never nil.
func (f *failures) list() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]string, 0, len(f.texts)+1)
	for i, text := range f.texts {
		if f.count[i] > 1 {
			text = fmt.Sprintf("%s (%d times)", text, f.count[i])
		}
		list = append(list, text)
	}
	if f.more > 0 {
		list = append(list, fmt.Sprintf("and %d more", f.more))
	}
	return list
}
