package udpsocket

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// checkRuns fails unless every run is one that the system may be given, and the
// runs are what was put, in order.
func checkRuns(t *testing.T, b *Batch, put map[*Destination][][]byte) {
	t.Helper()
	got := make(map[*Destination][][]byte)
	for _, r := range b.runs {
		if r.count < 1 || r.count > maxSegments || r.octets > maxRunOctets ||
			r.octets > r.count*r.size || r.octets <= (r.count-1)*r.size {
			t.Fatalf("run %+v is none", r)
		}
		data := b.arena[r.start : r.start+r.octets]
		for len(data) > 0 {
			n := min(r.size, len(data))
			got[r.to] = append(got[r.to], data[:n])
			data = data[n:]
		}
	}
	for d, want := range put {
		if len(got[d]) != len(want) {
			t.Fatalf("%d datagrams to %v, want %d", len(got[d]), d.Remote(), len(want))
		}
		for i := range want {
			if !bytes.Equal(got[d][i], want[i]) {
				t.Fatalf("datagram %d to %v = %.20x, want %.20x", i, d.Remote(), got[d][i], want[i])
			}
		}
	}
}

func TestNeighboursOfOneSizeToOneDestinationAreARun(t *testing.T) {
	t.Parallel()
	s := socketOf(t, open(t, Options{}), "127.0.0.1")
	p := newPeer(t, "127.0.0.1")
	d, e := destination(t, s, "", p.addr), destination(t, s, "", p.addr)
	repeat := func(d *Destination, n, times int) (out []item) {
		for range times {
			out = append(out, item{d, n})
		}
		return out
	}
	tests := []struct {
		name  string
		items []item
		want  []int // datagrams of each run
	}{
		{"equal", repeat(d, 1000, 6), []int{6}},
		{"the last is shorter", append(repeat(d, 1000, 3), item{d, 999}), []int{4}},
		{"a shorter one ends the run", append(repeat(d, 1000, 2), item{d, 999}, item{d, 999}), []int{3, 1}},
		{"a longer one begins another", append(repeat(d, 1000, 2), item{d, 1001}), []int{2, 1}},
		{"another destination", []item{{d, 10}, {e, 10}, {d, 10}}, []int{1, 1, 1}},
		{"too many", repeat(d, 10, maxSegments+1), []int{maxSegments, 1}},
		{"too long", repeat(d, 2000, 33), []int{32, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := NewBatch()
			all := make(map[*Destination][][]byte)
			for i, it := range tt.items {
				data := payload(it.n, byte(i))
				put(b, it.to, data)
				all[it.to] = append(all[it.to], data)
			}
			var got []int
			for _, r := range b.runs {
				got = append(got, r.count)
			}
			if fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("runs of %v, want %v", got, tt.want)
			}
			checkRuns(t, b, all)
		})
	}
}

type item struct {
	to *Destination
	n  int
}

func TestAReservationMayBeShortenedOrTakenBack(t *testing.T) {
	t.Parallel()
	s := socketOf(t, open(t, Options{}), "127.0.0.1")
	p := newPeer(t, "127.0.0.1")
	d := destination(t, s, "127.0.0.1", p.addr)
	b := NewBatch()
	b.Reserve(d, 100)
	b.Commit(0)
	b.Reserve(d, 100)
	b.Reserve(d, 100) // the one before it is forgotten
	if !b.Empty() {
		t.Error("a batch is not empty after nothing was committed")
	}
	b.Commit(copy(b.arena[:100], "short"))
	if b.Empty() {
		t.Error("a batch is empty after a datagram was committed")
	}
	b.Flush()
	if !b.Empty() {
		t.Error("a batch is not empty after Flush")
	}
	p.expect(t, []byte("short"))
	for name, misuse := range map[string]func(){
		"too long":            func() { b.Reserve(d, MaxDatagram+1) },
		"more than reserved":  func() { b.Reserve(d, 10); b.Commit(11) },
		"nothing is reserved": func() { b.Commit(1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			misuse()
		}()
	}
}

func TestABatchSendsByItselfWhenFull(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		size int
		n    int
	}{
		{"of octets", MaxDatagram, 2*maxArena/MaxDatagram + 3},
		{"of runs", 10, 2*maxRuns + 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := socketOf(t, open(t, Options{}), "127.0.0.1")
			p := newPeer(t, "127.0.0.1")
			d, e := destination(t, s, "", p.addr), destination(t, s, "", p.addr)
			b := NewBatch()
			want := make([][]byte, tt.n)
			read := 0
			for i := range want {
				to := d
				if i%2 == 1 { // each is a run
					to = e
				}
				want[i] = payload(tt.size, byte(i))
				put(b, to, want[i])
				if cap(b.arena) > maxArena || len(b.runs) > maxRuns {
					t.Fatalf("the batch has grown to %d octets, %d runs", cap(b.arena), len(b.runs))
				}
				for ; read < int(s.Stats().Sent); read++ {
					p.expect(t, want[read])
				}
			}
			if read == 0 {
				t.Error("nothing was sent before Flush")
			}
			b.Flush()
			for ; read < tt.n; read++ {
				p.expect(t, want[read])
			}
		})
	}
}

// Whatever is put, in whatever order, arrives as it was put, in order at each
// destination.
func TestAnyMixArrivesAsItWasPut(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			checkMix(t, open(t, Options{}), seed)
		})
	}
}

// checkMix sends random bursts from sockets to several peers, and checks what
// arrives.
func checkMix(t *testing.T, sockets []*Socket, seed uint64) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 0))
	var peers []peer
	var destinations []*Destination
	for _, s := range sockets {
		ip := "127.0.0.1"
		if s.IPv6() {
			ip = "::1"
		}
		for range 2 {
			p := newPeer(t, ip)
			peers = append(peers, p)
			destinations = append(destinations, destination(t, s, ip, p.addr))
		}
	}
	b := NewBatch()
	for range 5 {
		want := make(map[*Destination][][]byte)
		sizes := []int{1 + random.IntN(MaxDatagram), 1 + random.IntN(200), 1150}
		for range 1 + random.IntN(30) {
			d := destinations[random.IntN(len(destinations))]
			n := sizes[random.IntN(len(sizes))]
			for range 1 + random.IntN(8) {
				data := payload(n, byte(random.Uint32()))
				put(b, d, data)
				want[d] = append(want[d], data)
			}
		}
		b.Flush()
		for i, d := range destinations {
			for _, data := range want[d] {
				peers[i].expect(t, data)
			}
		}
	}
	var sum Stats
	for _, s := range sockets {
		sum = sum.Add(s.Stats())
	}
	if sum.SendErrors != 0 || sum.Dropped != 0 {
		t.Errorf("Stats() = %+v, want no errors and nothing dropped", sum)
	}
}
