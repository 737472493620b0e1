package turnserver

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestQuotasCountClientsSourcesAndAll(t *testing.T) {
	t.Parallel()
	one, two, three := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")
	quota := Quota{Client: 2, Source: 3, Total: 5}
	ada, bob := newUser("ada", one), newUser("bob", one)
	tests := []struct {
		name  string
		taken []user
		next  user
		want  bool
	}{
		{"nothing yet", nil, ada, true},
		{"below all bounds", []user{ada}, ada, true},
		{"a client's bound", []user{ada, ada}, ada, false},
		{"also from elsewhere", []user{ada, ada}, newUser("ada", two), false},
		{"others do not suffer", []user{ada, ada}, bob, true},
		{"a source's bound", []user{ada, ada, bob}, bob, false},
		{"other sources do not suffer", []user{ada, ada, bob}, newUser("bob", two), true},
		{"the total", []user{ada, ada, bob, newUser("bob", two), newUser("c", two)}, newUser("d", three), false},
		{"the server itself is not a client", []user{newUser(serverID, one), newUser(serverID, one), newUser(serverID, one)}, newUser(serverID, one), true},
		{"but counts", []user{newUser(serverID, one), newUser(serverID, one), ada, ada, newUser(serverID, one)}, newUser(serverID, one), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAccounts(quota)
			for _, u := range tt.taken {
				if !a.take(u) {
					t.Fatalf("%v is refused", u)
				}
			}
			if got := a.room(tt.next); got != tt.want {
				t.Errorf("room for %v = %v, want %v", tt.next, got, tt.want)
			}
			if got := a.take(tt.next); got != tt.want {
				t.Errorf("take for %v = %v, want %v", tt.next, got, tt.want)
			}
			if tt.want {
				a.giveBack(tt.next)
			}
			for _, u := range tt.taken {
				a.giveBack(u)
			}
			if a.count() != 0 || len(a.clients) != 0 || len(a.sources) != 0 {
				t.Errorf("after giving everything back: %d, %v, %v, want nothing", a.count(), a.clients, a.sources)
			}
		})
	}
}

func TestQuotaIsAnnouncedToTheClientAndReturnsWhenItLeaves(t *testing.T) {
	t.Parallel()
	s := serve(t, "127.0.0.1", Options{Quota: Quota{Client: 1}})
	first := allocate(t, s, "udp", "ada")
	username, password := s.Credentials("ada", time.Now())
	if conn, err := connect(t, s, "udp", username, password).Allocate(); err == nil || !strings.Contains(err.Error(), "486") {
		t.Errorf("a second allocation gives %v, %v, want error 486", conn, err)
	}
	allocate(t, s, "tcp", "bob") // others do not suffer
	_ = first.Close()
	eventually(t, "the allocation is given back", func() bool { return s.Stats().Allocations == 1 })
	allocate(t, s, "udp", "ada")
}
