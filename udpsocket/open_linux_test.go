package udpsocket

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"testing"
)

func TestAPortThatItsOwnerWouldShareIsTaken(t *testing.T) {
	t.Parallel()
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error { return shareRaw(raw) }}
	owner, err := config.ListenPacket(context.Background(), "udp4", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	for _, shards := range []int{1, 2} {
		sockets, _, err := Open(Options{
			Port: owner.LocalAddr().(*net.UDPAddr).Port, Shards: shards, Log: slog.New(slog.DiscardHandler),
		})
		if err == nil {
			closeAll(sockets)
			t.Errorf("Open() with %d shards took another's port", shards)
		}
	}
}

func TestShardsDivideThePeers(t *testing.T) {
	t.Parallel()
	const peers, each = 32, 5
	var shards []*Socket
	for _, s := range open(t, Options{Shards: 2}) {
		if !s.IPv6() {
			shards = append(shards, s)
		}
	}
	if len(shards) != 2 {
		t.Fatalf("%d sockets, want 2", len(shards))
	}
	type arrival struct {
		shard int
		from  string
	}
	arrivals := make(chan arrival, peers*each)
	var readers sync.WaitGroup
	for i, s := range shards {
		readers.Go(func() {
			for r := s.NewReader(); ; {
				ds, err := r.Read()
				if err != nil {
					return
				}
				for _, d := range ds {
					arrivals <- arrival{i, d.From.String()}
				}
			}
		})
	}
	for range peers {
		p := newPeer(t, "127.0.0.1")
		for range each {
			if _, err := p.WriteToUDPAddrPort([]byte("x"), newAddr("127.0.0.1", shards[0].port)); err != nil {
				t.Fatal(err)
			}
		}
	}
	at := make(map[string]int)
	used := make(map[int]bool)
	for range peers * each {
		a := <-arrivals
		if before, ok := at[a.from]; ok && before != a.shard {
			t.Errorf("datagrams from %v came to shards %d and %d", a.from, before, a.shard)
		}
		at[a.from] = a.shard
		used[a.shard] = true
	}
	if len(at) != peers || len(used) != 2 {
		t.Errorf("%d peers came to %d shards, want %d to 2", len(at), len(used), peers)
	}
	closeAll(shards)
	readers.Wait()
}
