package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"

	"galene/internal/testkit"
)

// benchmarkSpan is how much media one iteration of BenchmarkForward is.
const benchmarkSpan = 5 * time.Second

// benchmarkPause is how long a packet may be under way.
const benchmarkPause = 300 * time.Millisecond

// BenchmarkForward measures what forwarding a packet to a subscriber costs the
// server, which runs in a process of its own: one publisher sends video of
// about 2 Mbit/s in bursts of eight packets, thirty times a second. It reports
// processor time per packet forwarded, and the part of the packets that did not
// arrive. One iteration is a span of real time, so ns/op says nothing.
func BenchmarkForward(b *testing.B) {
	for _, subscribers := range []int{1, 10, 50} {
		b.Run(fmt.Sprintf("subscribers=%d", subscribers), func(b *testing.B) {
			benchmarkForward(b, subscribers)
		})
	}
}

func benchmarkForward(b *testing.B, subscribers int) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 5*testkit.Patience)
	defer cancel()
	server := testkit.StartProcess(b, ".", testkit.ServerOptions{})
	publisher := benchmarkClient(ctx, b, server, "publisher", testkit.ClientOptions{})
	source := testkit.NewSource(testkit.SourceOptions{Codec: testkit.VP8, Packets: 8, KeyframeEvery: 300})
	publication, err := publisher.Publish(ctx, testkit.StreamOptions{Sources: []*testkit.Source{source}})
	if err == nil {
		err = publication.WaitConnected(ctx)
	}
	if err != nil {
		b.Fatal(err)
	}

	var received atomic.Uint64
	count := func(*testkit.Track, *rtp.Packet) { received.Add(1) }
	for i := range subscribers {
		c := benchmarkClient(ctx, b, server, fmt.Sprintf("subscriber%d", i), testkit.ClientOptions{Packet: count})
		if err := c.Subscribe(); err != nil {
			b.Fatal(err)
		}
		s, err := c.WaitStream(ctx)
		if err == nil {
			err = s.WaitConnected(ctx)
		}
		if err != nil {
			b.Fatal(err)
		}
	}

	// Until keyframes were asked for and estimates have settled.
	playFor(ctx, b, publication, 2*time.Second)
	sentBefore, receivedBefore, cpuBefore := source.Made(), received.Load(), cpu(b, server)
	for b.Loop() {
		playFor(ctx, b, publication, benchmarkSpan)
	}
	sent, got, used := source.Made()-sentBefore, received.Load()-receivedBefore, cpu(b, server)-cpuBefore
	if got == 0 {
		b.Fatal("nothing has been forwarded")
	}
	b.ReportMetric(float64(used.Nanoseconds())/1000/float64(got), "cpu-µs/packet")
	b.ReportMetric(100*(1-float64(got)/float64(sent*uint64(subscribers))), "loss-%")
	b.ReportMetric(float64(got)/b.Elapsed().Seconds(), "packets/s")
}

// playFor sends media for a while, and then waits for what is under way.
func playFor(ctx context.Context, b *testing.B, p *testkit.Publication, span time.Duration) {
	b.Helper()
	ctx, cancel := context.WithTimeout(ctx, span)
	defer cancel()
	if err := p.Play(ctx); err != nil {
		b.Fatal(err)
	}
	time.Sleep(benchmarkPause)
}

func benchmarkClient(ctx context.Context, b *testing.B, server *testkit.Process, username string, o testkit.ClientOptions) *testkit.Client {
	b.Helper()
	c, err := testkit.Dial(ctx, server.Endpoint(), o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	if _, err := c.Join(ctx, "room", username, ""); err != nil {
		b.Fatal(err)
	}
	return c
}

func cpu(b *testing.B, server *testkit.Process) time.Duration {
	b.Helper()
	used, err := server.CPU()
	if errors.Is(err, errors.ErrUnsupported) {
		b.Skip(err)
	}
	if err != nil {
		b.Fatal(err)
	}
	return used
}
