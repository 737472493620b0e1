package group

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"galene/mailbox"
)

// Members come, go and are moderated all at once for a while; afterwards
// nothing of them is left, and nobody's view contradicts the group's.
func TestChurnLeavesNothingBehind(t *testing.T) {
	h := newHouse(t, map[string]string{
		"room": `{"autolock":true,"auto-subgroups":true,"public":true,` + ops[1:],
	})
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { h.Run(ctx) })
	wg.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			h.define("room", fmt.Sprintf(`{"displayName":"%d","autolock":true,"auto-subgroups":true,"public":true,%s`, i, ops[1:]))
			h.PublicStatuses()
			time.Sleep(50 * time.Millisecond)
		}
	})
	for i := range 50 {
		wg.Go(func() { churn(ctx, t, h, i) })
	}
	wg.Wait()

	for _, g := range h.all() {
		if members, streams := g.Members(), g.Streams(nil); len(members) != 0 || len(streams) != 0 {
			t.Errorf("group %s is left with %v and %v", g.Name(), members, streams)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines are left, there were %d", runtime.NumGoroutine(), before)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// churn is one client's life: it joins again and again, acts, and checks that
// what it is told is consistent.
func churn(ctx context.Context, t *testing.T, h *house, n int) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, uint64(n))) // reproducible
	names := []string{"room", "room", "room/sub"}
	users := []string{"op", "op2", "presenter", "listener"}
	for ctx.Err() == nil {
		username := users[random.IntN(len(users))]
		box := mailbox.New[*Event](1 << 16)
		id := fmt.Sprint(n)
		m, err := h.Join(ctx, names[random.IntN(len(names))],
			Credentials{Username: &username, Password: "secret"}, Newcomer{ID: id, Mailbox: box})
		if err != nil {
			continue // locked
		}
		for range random.IntN(20) {
			act(random, m, fmt.Sprint(random.IntN(50)))
		}
		m.Leave()
		if events, overflow := box.Take(nil); !overflow {
			replay(t, m, events)
		}
	}
}

// act does something at random to the group or the member called target.
func act(random *rand.Rand, m *Member, target string) {
	g := m.Group()
	switch random.IntN(10) {
	case 0:
		_ = m.UpdateData(Data{"n": json.RawMessage(target)})
	case 1:
		_ = m.Publish(Stream{ID: m.ID() + "-" + target, Replaces: m.ID() + "-1"})
	case 2:
		m.Withdraw(m.ID() + "-1")
	case 3:
		_ = g.SetPermission(target, PermissionChange(random.IntN(6)))
	case 4:
		_ = g.Kick(target, Kicker{ID: m.ID()}, "")
	case 5:
		g.SetLocked(random.IntN(2) == 0, "")
	case 6:
		g.Chat(ChatEntry{ID: target, Source: m.ID(), Time: time.Now()}, NewEvent(g, target), "")
	case 7:
		g.ClearChat("", target)
	case 8:
		_ = g.UpdateData(Data{"n": json.RawMessage(target)})
	case 9:
		g.Members()
		g.Subgroups()
		g.Find(target)
	}
}

// replay follows the events of one membership: the first is Joined, members
// join before they change or leave, and streams are published before they end.
func replay(t *testing.T, m *Member, events []*Event) {
	t.Helper()
	members, streams := map[string]bool{}, map[string]bool{}
	for i, event := range events {
		if event.Group != m.Group() {
			t.Errorf("event of another group: %+v", event.Body)
		}
		if _, first := event.Body.(Joined); first != (i == 0) {
			t.Errorf("event %d is %T", i, event.Body)
		}
		switch body := event.Body.(type) {
		case Joined:
			for _, info := range body.Members {
				members[info.ID] = true
			}
			for _, s := range body.Streams {
				streams[s.ID] = true
			}
		case MemberJoined:
			if members[body.ID] {
				t.Errorf("member %s joined twice", body.ID)
			}
			members[body.ID] = true
		case MemberChanged:
			if !members[body.ID] {
				t.Errorf("member %s changed without having joined", body.ID)
			}
		case MemberLeft:
			if !members[body.ID] || body.ID == m.ID() {
				t.Errorf("member %s left without having joined", body.ID)
			}
			delete(members, body.ID)
		case StreamPublished:
			if !members[body.Publisher] || body.Publisher == m.ID() {
				t.Errorf("stream %s of %s, which is no other member", body.ID, body.Publisher)
			}
			delete(streams, body.Replaces)
			streams[body.ID] = true
		case StreamWithdrawn:
			if !streams[body.ID] {
				t.Errorf("stream %s ended without having been published", body.ID)
			}
			delete(streams, body.ID)
		}
	}
}

func BenchmarkBroadcast(b *testing.B) {
	h := newHouse(b, map[string]string{"room": ops})
	var peers []*peer
	for i := range 100 {
		p, refusal := h.try("room", fmt.Sprint(i), "presenter", "secret")
		if refusal != nil {
			b.Fatal(refusal)
		}
		peers = append(peers, p)
	}
	g := peers[0].Group()
	var buffer []*Event
	b.ReportAllocs()
	for b.Loop() {
		g.Broadcast(NewEvent(g, "x"), "")
		for _, p := range peers {
			buffer, _ = p.box.Take(buffer[:0])
		}
	}
}
