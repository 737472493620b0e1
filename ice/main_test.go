package ice

import (
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeRelay is a Relay that only counts. Any goroutine may use it.
type fakeRelay struct {
	mu             sync.Mutex // guards the fields below
	urls           []string   // of the running relay
	running        bool
	starts, stops  int
	err            error
	lastClient     string
	lastCredential time.Time
}

func (r *fakeRelay) Start() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.starts++
	r.running = r.err == nil
	return r.err
}

func (r *fakeRelay) Stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stops++
	r.running = false
}

func (r *fakeRelay) URLs() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.running {
		return nil
	}
	return slices.Clone(r.urls)
}

func (r *fakeRelay) Credentials(client string, now time.Time) (username, password string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lastClient, r.lastCredential = client, now
	return "user-" + client, "password-" + client
}

func (r *fakeRelay) isRunning() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running
}

// write makes path hold data; it differs from what was there before.
func write(t *testing.T, path, data string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}
