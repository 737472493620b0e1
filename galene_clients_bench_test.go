package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"galene/internal/testkit"
)

const (
	crowd         = 300                    // clients of the benchmarks of signalling
	chatInterval  = 50 * time.Millisecond  // between two chat messages
	chatSpan      = 5 * time.Second        // of chat in one iteration
	settlingTime  = 3 * time.Second        // before memory or processor time are looked at
	tallyInterval = 100 * time.Millisecond // between looks at whether all has come
)

// BenchmarkChat measures what the delivery of a broadcast chat message costs the
// server, which runs in a process of its own: twenty messages a second to
// three hundred clients. One iteration is a span of real time, so ns/op says
// nothing.
func BenchmarkChat(b *testing.B) { forBothSchemes(b, benchmarkChat) }

func benchmarkChat(b *testing.B, server *testkit.Process) {
	b.Helper()
	room := newCrowd(b, server)
	room.waitQuiet(b)
	before, cpuBefore := room.frames.Load(), cpu(b, server)
	for b.Loop() {
		room.chat(b)
	}
	got := room.frames.Load() - before
	used := cpu(b, server) - cpuBefore
	b.ReportMetric(float64(used.Nanoseconds())/1000/float64(got), "cpu-µs/delivery")
	b.ReportMetric(float64(got)/b.Elapsed().Seconds(), "deliveries/s")
}

// BenchmarkIdle measures what a client in a group that says nothing costs the
// server: its memory, and its part of the processor time.
func BenchmarkIdle(b *testing.B) { forBothSchemes(b, benchmarkIdle) }

func benchmarkIdle(b *testing.B, server *testkit.Process) {
	b.Helper()
	before := memory(b, server)
	cpuBefore := cpu(b, server)
	room := newCrowd(b, server)
	b.ReportMetric(float64((cpu(b, server)-cpuBefore).Microseconds())/1000/crowd, "cpu-ms/join")
	room.waitQuiet(b)
	cpuBefore = cpu(b, server)
	for b.Loop() {
		time.Sleep(settlingTime)
	}
	b.ReportMetric(100*(cpu(b, server)-cpuBefore).Seconds()/b.Elapsed().Seconds(), "cpu-%")
	b.ReportMetric(float64(memory(b, server)-before)/1024/crowd, "KiB/client")
}

func forBothSchemes(b *testing.B, f func(b *testing.B, server *testkit.Process)) {
	b.Helper()
	for _, secure := range []bool{false, true} {
		b.Run(fmt.Sprintf("tls=%v", secure), func(b *testing.B) {
			f(b, testkit.StartProcess(b, ".", testkit.ServerOptions{TLS: secure}))
		})
	}
}

// audience is many clients that do no more than count what they receive.
type audience struct {
	clients []*websocket.Conn
	frames  atomic.Uint64
	reading sync.WaitGroup
}

// newCrowd connects clients and has them join, one after another.
func newCrowd(b *testing.B, server *testkit.Process) *audience {
	b.Helper()
	a := &audience{clients: make([]*websocket.Conn, crowd)}
	b.Cleanup(a.close)
	ctx, cancel := context.WithTimeout(b.Context(), testkit.Patience)
	defer cancel()
	for i := range a.clients {
		if err := a.enter(ctx, server, i); err != nil {
			b.Fatal(err)
		}
	}
	return a
}

func (a *audience) enter(ctx context.Context, server *testkit.Process, i int) error {
	dialer := websocket.Dialer{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // it is self-signed
		ReadBufferSize:  4096, WriteBufferSize: 1024,
	}
	c, response, err := dialer.DialContext(ctx, server.Endpoint(), nil)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	a.clients[i] = c
	for _, m := range []string{
		fmt.Sprintf(`{"type":"handshake","version":["2"],"id":"client-%d"}`, i),
		fmt.Sprintf(`{"type":"join","kind":"join","group":"room","username":"client %d"}`, i),
	} {
		if err := c.WriteMessage(websocket.TextMessage, []byte(m)); err != nil {
			return err
		}
	}
	for {
		_, frame, err := c.ReadMessage()
		if err != nil {
			return err
		}
		if strings.Contains(string(frame), `"type":"user"`) {
			break
		}
	}
	a.reading.Go(func() {
		for {
			if _, _, err := c.NextReader(); err != nil {
				return
			}
			a.frames.Add(1)
		}
	})
	return nil
}

// chat has one client after another say something, and waits until everybody
// has heard it.
func (a *audience) chat(b *testing.B) {
	b.Helper()
	want := a.frames.Load()
	tick := time.NewTicker(chatInterval)
	defer tick.Stop()
	for i := range int(chatSpan / chatInterval) {
		c := a.clients[i*7%len(a.clients)]
		m := fmt.Sprintf(`{"type":"chat","value":"this is what number %d has to say, and no more"}`, i)
		if err := c.WriteMessage(websocket.TextMessage, []byte(m)); err != nil {
			b.Fatal(err)
		}
		want += uint64(len(a.clients))
		<-tick.C
	}
	for deadline := time.Now().Add(testkit.Patience); a.frames.Load() < want; time.Sleep(tallyInterval) {
		if time.Now().After(deadline) {
			b.Fatalf("%d deliveries, want %d", a.frames.Load(), want)
		}
	}
}

// waitQuiet waits until nothing more comes.
func (a *audience) waitQuiet(b *testing.B) {
	b.Helper()
	for got := uint64(0); got != a.frames.Load(); time.Sleep(settlingTime) {
		got = a.frames.Load()
	}
}

func (a *audience) close() {
	for _, c := range a.clients {
		if c != nil {
			_ = c.Close()
		}
	}
	a.reading.Wait()
}

func memory(b *testing.B, server *testkit.Process) int64 {
	b.Helper()
	used, err := server.Memory()
	if errors.Is(err, errors.ErrUnsupported) {
		b.Skip(err)
	}
	if err != nil {
		b.Fatal(err)
	}
	return used
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
