package loadtest

import (
	"context"
	"fmt"
	"time"
)

// progressInterval is the time between lines.
const progressInterval = time.Second

// totals is what all receivers together have received.
type totals struct{ packets, octets uint64 }

// progress writes a line at intervals until ctx ends.
func (r *run) progress(ctx context.Context) {
	ticker := time.NewTicker(progressInterval)
	defer ticker.Stop()
	before, at := r.totals(), time.Now()
	for {
		select {
		case <-ctx.Done():
			if r.options.Terminal {
				_, _ = fmt.Fprintln(r.options.Progress)
			}
			return
		case <-ticker.C:
		}
		now, t := time.Now(), r.totals()
		line := r.line(before, t, now.Sub(at))
		before, at = t, now
		if r.options.Terminal {
			_, _ = fmt.Fprintf(r.options.Progress, "\r%s\x1b[K", line)
		} else {
			_, _ = fmt.Fprintln(r.options.Progress, line)
		}
	}
}

// line says where the run stands.
func (r *run) line(before, now totals, span time.Duration) string {
	seconds := span.Seconds()
	return fmt.Sprintf("%4.0f s  joined %d/%d  streams %d/%d  %.0f packets/s  %.1f Mbit/s  delay p99 %.1f ms",
		time.Since(r.start).Seconds(), r.joined.Load(), len(r.clients),
		r.withMedia.Load(), r.scenario.downConnections(),
		float64(now.packets-before.packets)/seconds, float64(now.octets-before.octets)*8/1e6/seconds,
		r.delay.quantile(0.99))
}

func (r *run) totals() totals {
	var t totals
	for _, s := range r.received() {
		s.mu.Lock()
		for _, source := range s.sources {
			t.packets += source.distinct
			t.octets += source.octets
		}
		s.mu.Unlock()
	}
	return t
}
