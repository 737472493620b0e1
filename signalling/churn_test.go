package signalling

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"galene/group"
)

const (
	churners = 200 // clients that come and go at a time
	enough   = 50  // that join at least, however slow the machine is
)

// Clients come, talk, moderate each other and go, some without a word, for a
// while, which GALENE_CHURN can make longer. Afterwards nothing of them is left:
// no session, member, stream or goroutine.
func TestChurnOfWebSocketsLeavesNothingBehind(t *testing.T) { // not parallel: it counts goroutines
	span := 2 * time.Second
	if s := os.Getenv("GALENE_CHURN"); s != "" {
		var err error
		if span, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	definition := strings.Replace(open["test"], "{", `{"auto-subgroups":true,`, 1)
	writeGroup(t, dir, "test", definition)
	var journal bytes.Buffer
	log := slog.New(slog.NewTextHandler(&journal, &slog.HandlerOptions{Level: slog.LevelWarn}))
	registry := group.NewRegistry(group.Options{Directory: dir, Log: slog.New(slog.DiscardHandler)})
	engine := &fakeEngine{}
	server := newServer(Options{Registry: registry, Log: log}, engine)
	h := httptest.NewServer(http.HandlerFunc(server.ServeWebSocket))
	defer h.Close()
	url := "ws" + strings.TrimPrefix(h.URL, "http")

	before := runtime.NumGoroutine()
	ctx, cancel := context.WithTimeout(t.Context(), span+2*patience)
	defer cancel()
	end := time.Now().Add(span)
	var joined, heard atomic.Int64
	var wg sync.WaitGroup
	for i := range churners {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(7, uint64(i)))
			for ctx.Err() == nil && (time.Now().Before(end) || joined.Load() < enough) {
				churnOnce(ctx, t, url, random, i, &joined, &heard)
			}
		})
	}
	wg.Wait()
	t.Logf("%d joined, and heard %d messages", joined.Load(), heard.Load())
	if joined.Load() < enough {
		t.Errorf("%d joined, want at least %d", joined.Load(), enough)
	}

	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		ups, downs := engine.open()
		sessions, goroutines := server.count(), runtime.NumGoroutine()
		if sessions+ups+downs == 0 && goroutines <= before {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("left: %d sessions, %d up and %d down connections, %d goroutines of %d before",
				sessions, ups, downs, goroutines, before)
		}
	}
	if strings.Contains(journal.String(), "panic") {
		t.Errorf("the log:\n%s", &journal)
	}
}

// churnOnce is one connection of a client.
func churnOnce(ctx context.Context, t *testing.T, url string, random *rand.Rand, i int, joined, heard *atomic.Int64) {
	t.Helper()
	c, response, err := websocket.DefaultDialer.DialContext(ctx, url, nil)
	if err != nil {
		return // the time is over, or so many at once
	}
	_ = response.Body.Close()
	var reading sync.WaitGroup
	defer reading.Wait()
	defer func() { _ = c.Close() }()
	decided := make(chan struct{}) // closed when it has joined, or the connection has ended
	reading.Go(func() {
		var once sync.Once
		decide := func() { once.Do(func() { close(decided) }) }
		defer decide()
		for {
			_, frame, err := c.ReadMessage()
			if err != nil {
				return
			}
			heard.Add(1)
			switch {
			case bytes.Contains(frame, []byte(`"kind":"join"`)):
				joined.Add(1)
				decide()
			case bytes.Contains(frame, []byte(`"kind":"fail"`)):
				decide()
			}
		}
	})
	say := func(format string, args ...any) bool {
		return c.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, format, args...)) == nil
	}
	in := []string{"test", "test", "test/sub"}[random.IntN(3)]
	who := []string{`"anna","password":"x"`, `"bob"`, `"carl"`}[random.IntN(3)]
	ok := say(`{"type":"handshake","version":["2"],"id":"%d"}`, i) &&
		say(`{"type":"join","kind":"join","group":%q,"username":%s}`, in, who) &&
		say(`{"type":"request","request":{"":["audio","video"]}}`)
	if random.IntN(10) > 0 { // otherwise it does not even wait
		select {
		case <-decided:
		case <-ctx.Done():
		}
	}
	for n := random.IntN(20); ok && n > 0 && ctx.Err() == nil; n-- {
		ok = say("%s", churnMessage(random, i, random.IntN(churners)))
		time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
	}
	if ok && random.IntN(3) > 0 {
		_ = say(`{"type":"join","kind":"leave","group":%q}`, in)
		time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
	}
}

// churnMessage is something that the client called me may say, perhaps about
// another one.
func churnMessage(random *rand.Rand, me, other int) string {
	kinds := []string{"op", "unop", "present", "unpresent", "shutup", "unshutup", "identify", "kick"}
	switch random.IntN(10) {
	case 0, 1:
		return `{"type":"chat","value":"hello"}`
	case 2:
		return fmt.Sprintf(`{"type":"usermessage","kind":"info","dest":"%d","value":"psst"}`, other)
	case 3, 4:
		return fmt.Sprintf(`{"type":"useraction","kind":%q,"dest":"%d"}`, kinds[random.IntN(len(kinds))], other)
	case 5:
		return fmt.Sprintf(`{"type":"useraction","kind":"setdata","dest":"%d","value":{"n":%d}}`, me, random.IntN(100))
	case 6:
		return []string{
			`{"type":"groupaction","kind":"unlock"}`, `{"type":"groupaction","kind":"clearchat"}`,
			`{"type":"groupaction","kind":"subgroups"}`, `{"type":"groupaction","kind":"setdata","value":{"k":1}}`,
		}[random.IntN(4)]
	case 7:
		return fmt.Sprintf(`{"type":"close","id":"%d"}`, me)
	default:
		return fmt.Sprintf(`{"type":"offer","id":"%d","sdp":"audio high"}`, me)
	}
}
