package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"galene/internal/testkit"
)

// idleClientsEndpoint is the environment variable that makes the test binary be
// the clients of BenchmarkIdleDown, of the server at that endpoint.
const idleClientsEndpoint = "GALENE_IDLE_CLIENTS"

// What the processes of BenchmarkIdleDown tell each other, line by line.
const (
	idleSubscribe = "subscribe"
	idleReady     = "ready"
)

const (
	idleSubscribers = 100
	idleSettle      = 2 * time.Second // until handshakes have ended and timers are quiet
)

// BenchmarkIdleDown measures what the server holds for each down connection
// through which no media flow: goroutines, and memory that is resident or in
// use. The server is in this process, which holds nothing else; the clients are
// in another one. Members, their WebSockets and the publisher's connection are
// there before it starts to count. It measures once, whatever b.N is, so ns/op
// says nothing.
func BenchmarkIdleDown(b *testing.B) {
	ctx, cancel := context.WithTimeout(b.Context(), 5*testkit.Patience)
	defer cancel()
	server := testkit.StartServer(b, run, testkit.ServerOptions{})
	clients := exec.CommandContext(ctx, os.Args[0])
	clients.Env = append(os.Environ(), idleClientsEndpoint+"="+server.Endpoint())
	clients.Stderr = os.Stderr
	in, err := clients.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := clients.StdoutPipe()
	if err == nil {
		err = clients.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	await := func() {
		if !lines.Scan() || lines.Text() != idleReady {
			b.Fatalf("the clients have failed; they printed %q", lines.Text())
		}
		time.Sleep(idleSettle)
	}
	await()
	debug.FreeOSMemory()
	before := idleFootprint(b)
	if _, err := fmt.Fprintln(in, idleSubscribe); err != nil {
		b.Fatal(err)
	}
	await()
	for unit, value := range idleFootprint(b) {
		b.ReportMetric((value-before[unit])/idleSubscribers, unit+"/down")
	}
	if err := in.Close(); err != nil {
		b.Fatal(err)
	}
	if err := clients.Wait(); err != nil {
		b.Fatalf("clients: %v", err)
	}
}

// idleFootprint tells what this process holds, by unit.
func idleFootprint(b *testing.B) map[string]float64 {
	b.Helper()
	footprint := map[string]float64{"goroutines": float64(runtime.NumGoroutine())}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("the system does not tell what is resident:", err)
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kilobytes, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
			if err != nil {
				b.Fatal(err)
			}
			footprint["rss-kB"] = kilobytes
		}
	}
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	footprint["in-use-kB"] = float64(stats.HeapInuse+stats.StackInuse) / 1024
	return footprint
}

// idleClients is the other process: a publisher that is silent, and members who
// receive its stream once they are told to. It returns its exit status.
func idleClients(endpoint string, in io.Reader, out io.Writer) int {
	ctx, cancel := context.WithTimeout(context.Background(), 5*testkit.Patience)
	defer cancel()
	lines := bufio.NewScanner(in)
	err := func() error {
		publisher, err := idleMember(ctx, endpoint, "publisher")
		if err != nil {
			return err
		}
		defer publisher.Close()
		source := testkit.NewSource(testkit.SourceOptions{Codec: testkit.VP8})
		publication, err := publisher.Publish(ctx, testkit.StreamOptions{Sources: []*testkit.Source{source}})
		if err == nil {
			err = publication.WaitConnected(ctx)
		}
		if err != nil {
			return err
		}
		subscribers := make([]*testkit.Client, idleSubscribers)
		for i := range subscribers {
			if subscribers[i], err = idleMember(ctx, endpoint, fmt.Sprintf("subscriber%d", i)); err != nil {
				return err
			}
			defer subscribers[i].Close()
		}
		fmt.Fprintln(out, idleReady)
		for lines.Scan() {
			if err := idleReceive(ctx, subscribers); err != nil {
				return err
			}
			fmt.Fprintln(out, idleReady)
		}
		return lines.Err()
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "idle clients:", err)
		return statusFailed
	}
	return statusDone
}

func idleMember(ctx context.Context, endpoint, username string) (*testkit.Client, error) {
	c, err := testkit.Dial(ctx, endpoint, testkit.ClientOptions{})
	if err != nil {
		return nil, err
	}
	if _, err := c.Join(ctx, "room", username, ""); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// idleReceive makes all clients receive what there is, and waits until media
// could flow to them.
func idleReceive(ctx context.Context, subscribers []*testkit.Client) error {
	for _, c := range subscribers {
		if err := c.Subscribe(); err != nil {
			return err
		}
	}
	for _, c := range subscribers {
		s, err := c.WaitStream(ctx)
		if err == nil {
			err = s.WaitConnected(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
