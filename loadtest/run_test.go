package loadtest

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"galene/internal/testkit"
)

// brief returns a scenario of a group of a server that takes about a second.
func brief(server *testkit.Process, group string) Scenario {
	s := Default()
	s.URL = server.HTTP + "/group/" + group + "/"
	s.Video = 600_000
	s.Verify = 4
	s.WarmUp = 100 * time.Millisecond
	s.Duration = 500 * time.Millisecond
	return s
}

// loads runs a scenario to its end.
func loads(t *testing.T, s Scenario) *Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*testkit.Patience)
	defer cancel()
	r, err := Run(ctx, s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", *r)
	return r
}

// A load sees what a real server does. The server has a process of its own, which all of this shares.
func TestARealServerIsMeasured(t *testing.T) {
	t.Parallel()
	const closed = `{"users": {"ada": {"password": "sesame", "permissions": "present"}}}`
	groups := map[string]string{"closed": closed}
	for _, name := range []string{"lecture", "meeting", "rooms-1", "rooms-2", "idle", "lossy", "unrepaired", "crowd", "stopped"} {
		groups[name] = testkit.OpenGroup
	}
	server := testkit.StartProcess(t, "..", testkit.ServerOptions{Groups: groups})
	tests := []struct {
		name string
		edit func(s *Scenario)
		test func(t *testing.T, r *Result)
	}{
		{"lecture", func(s *Scenario) { s.Publishers, s.Subscribers = 1, 3 }, isWhole(4, 1, 3)},
		{"meeting", func(s *Scenario) { s.Publishers, s.Subscribers, s.Meeting, s.Paced = 3, 1, true, true }, isWhole(4, 3, 9)},
		{"rooms", func(s *Scenario) { s.Groups, s.Publishers, s.Subscribers = 2, 1, 1 }, isWhole(4, 2, 2)},
		{"crowd", func(s *Scenario) {
			s.Publishers, s.Subscribers, s.Video, s.JoinAtOnce = 1, 30, 0, true
		}, isWhole(31, 1, 30)},
		{"idle", func(s *Scenario) { s.Idle, s.Chat, s.Duration = 5, 20, 2*time.Second }, chats},
		{"lossy", func(s *Scenario) {
			s.Publishers, s.Subscribers, s.Drop, s.Verify, s.Duration = 1, 2, 10, 1, 2*time.Second
		}, repairs},
		{"unrepaired", func(s *Scenario) {
			s.Publishers, s.Subscribers, s.Drop, s.NACK, s.Duration = 1, 2, 20, false, 2*time.Second
		}, loses},
		{"closed", func(s *Scenario) { s.Publishers, s.Subscribers, s.Password = 1, 1, "guess" }, refused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := brief(server, tt.name)
			tt.edit(&s)
			tt.test(t, loads(t, s))
		})
	}
	t.Run("stopped", func(t *testing.T) {
		t.Parallel()
		stopEarly(t, brief(server, "stopped"))
	})
}

// isWhole checks that everything arrived that should have.
func isWhole(clients, publishers, down int) func(*testing.T, *Result) {
	return func(t *testing.T, r *Result) {
		t.Helper()
		if err := r.Err(); err != nil {
			t.Error(err)
		}
		if r.Clients != clients || r.Publishers != publishers || r.DownConnections != down {
			t.Errorf("%d clients, %d publishers, %d streams, want %d, %d, %d",
				r.Clients, r.Publishers, r.DownConnections, clients, publishers, down)
		}
		p := r.Packets
		if p.Sent == 0 || p.Received == 0 || p.Received > p.Expected || p.Corrupt != 0 {
			t.Errorf("packets %+v", p)
		}
		// Nothing is lost on purpose, but a busy machine may lose something.
		if r.Loss > 0.2 {
			t.Errorf("loss %v", r.Loss)
		}
		if d := r.Delay; d.Samples == 0 || d.P50 <= 0 || d.P50 > d.P95 || d.P95 > d.P99 || d.P99 > d.Max {
			t.Errorf("delay %+v", d)
		}
		for name, q := range map[string]Quantiles{"joined": r.Join.Joined, "first media": r.Join.FirstMedia} {
			if q.P50 <= 0 || q.P50 > q.P99 || q.P99 > q.Max {
				t.Errorf("%s %+v", name, q)
			}
		}
		if r.Join.AllMedia < r.Join.FirstMedia.Max/2 {
			t.Errorf("all media after %v ms, the last client's first after %v", r.Join.AllMedia, r.Join.FirstMedia.Max)
		}
		if r.Seconds <= 0 || r.Start >= r.End {
			t.Errorf("%v seconds from %d to %d", r.Seconds, r.Start, r.End)
		}
	}
}

func chats(t *testing.T, r *Result) {
	t.Helper()
	if err := r.Err(); err != nil || r.Clients != 5 || r.Packets.Expected != 0 {
		t.Errorf("error %v, %d clients, %d packets", err, r.Clients, r.Packets.Expected)
	}
	c := r.Chat
	if c.Deliveries == 0 || c.Deliveries%4 != 0 || c.P50 <= 0 || c.P50 > c.P99 {
		t.Errorf("chat %+v, want a multiple of 4 deliveries", c)
	}
}

func repairs(t *testing.T, r *Result) {
	t.Helper()
	isWhole(3, 1, 2)(t, r)
	if p := r.Packets; p.Recovered == 0 || p.Lost > p.Recovered {
		t.Errorf("%d recovered, %d lost, want most of what was dropped recovered", p.Recovered, p.Lost)
	}
}

func loses(t *testing.T, r *Result) {
	t.Helper()
	if p := r.Packets; r.Err() != nil || p.Recovered != 0 || p.Lost == 0 || r.Loss > 0.5 {
		t.Errorf("error %v, packets %+v, want about a tenth lost and none recovered", r.Err(), p)
	}
}

func refused(t *testing.T, r *Result) {
	t.Helper()
	if err := r.Err(); err == nil || !strings.Contains(err.Error(), "join") {
		t.Errorf("error %v, want that clients could not join", err)
	}
	if text := strings.Join(r.Failures, "; "); !strings.Contains(text, "cannot join closed") {
		t.Errorf("failures %q", text)
	}
}

// stopEarly stops a run while it measures: what there is counts.
func stopEarly(t *testing.T, s Scenario) {
	t.Helper()
	s.Publishers, s.Subscribers, s.Duration = 1, 1, time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 2*testkit.Patience)
	defer cancel()
	sync := &trigger{text: "measure start\n", call: func() { time.AfterFunc(300*time.Millisecond, cancel) }}
	r, err := Run(ctx, s, Options{Sync: sync})
	if err != nil {
		t.Fatal(err)
	}
	if r.Packets.Received == 0 || r.Seconds <= 0 || r.Seconds > 60 || r.Err() != nil {
		t.Errorf("%v; measured %v s, packets %+v", r.Err(), r.Seconds, r.Packets)
	}
	if got, want := sync.String(), "measure start\nmeasure end\n"; got != want {
		t.Errorf("was told %q, want %q", got, want)
	}
}

// trigger keeps what is written to it and makes a call when that is a text.
type trigger struct {
	text string
	call func()

	mu     sync.Mutex // guards buffer
	buffer bytes.Buffer
}

func (w *trigger) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.buffer.Write(b)
	if w.buffer.String() == w.text {
		w.call()
	}
	return n, err
}

func (w *trigger) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buffer.String()
}

func TestAnUnreachableServerIsAnError(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	s := valid()
	s.URL = "http://" + address + "/group/test/"
	if r, err := Run(t.Context(), s, Options{}); r != nil || !errors.Is(err, errStatus) {
		t.Errorf("Run = %+v, %v, want %v", r, err, errStatus)
	}
}
