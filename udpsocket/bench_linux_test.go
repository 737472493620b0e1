package udpsocket

import (
	"fmt"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestReadingAndSendingDoNotAllocate(t *testing.T) { // not parallel: it counts
	for _, ip := range []string{"127.0.0.1", "::1"} {
		s, to := socketOf(t, open(t, Options{}), ip), socketOf(t, open(t, Options{}), ip)
		d := destination(t, s, ip, newAddr(ip, to.port))
		r, b, data := to.NewReader(), NewBatch(), payload(1150, 1)
		read := func(n int) {
			for n > 0 {
				ds, err := r.Read()
				if err != nil {
					t.Fatal(err)
				}
				n -= len(ds)
			}
		}
		tests := []struct {
			name string
			f    func()
		}{
			{"send", func() {
				if err := d.Send(data); err != nil {
					t.Fatal(err)
				}
				read(1)
			}},
			{"batch", func() {
				for i := range 20 {
					put(b, d, data[:1150-i/7])
				}
				b.Flush()
				read(20)
			}},
		}
		for _, tt := range tests {
			tt.f()
			if got := testing.AllocsPerRun(500, tt.f); got != 0 {
				t.Errorf("%s over %s: %v allocations, want 0", tt.name, ip, got)
			}
		}
	}
}

func BenchmarkSendUnsegmented(b *testing.B) {
	batch := NewBatch()
	benchSend(b, func(ds []*Destination, data []byte) {
		ds[0].socket.segments = false
		for _, d := range ds {
			for range burstLength {
				put(batch, d, data)
			}
		}
		batch.Flush()
	})
}

// BenchmarkBatch measures everything but the system calls, and what is sealed
// in the reservation.
func BenchmarkBatch(b *testing.B) {
	s := socketOf(b, open(b, Options{}), "127.0.0.1")
	s.calls.sendmmsg = func(_ uintptr, messages []unix.Mmsghdr) (int, syscall.Errno) { return len(messages), 0 }
	var ds []*Destination
	for i := range benchPeers {
		ds = append(ds, destination(b, s, "127.0.0.1", newAddr("127.0.0.1", 1000+i)))
	}
	batch := NewBatch()
	b.ReportAllocs()
	for b.Loop() {
		for _, d := range ds {
			for range burstLength {
				batch.Reserve(d, 1150)
				batch.Commit(1150)
			}
		}
		batch.Flush()
	}
	reportPerDatagram(b, burstLength*benchPeers)
}

// receiveUnmerged makes a socket receive as from a network, where hardly
// anything is merged.
func receiveUnmerged(b *testing.B, s *Socket) {
	b.Helper()
	if err := setOption(s.rawSocket, unix.IPPROTO_UDP, unix.UDP_GRO, 0); err != nil {
		b.Fatal(err)
	}
	s.merges = false
}

// BenchmarkRead measures reading what one run or one batch sent; sending is
// subtracted by stopping the clock.
func BenchmarkRead(b *testing.B) {
	for _, merged := range []bool{true, false} {
		for _, run := range []int{1, 6, 20} {
			b.Run(fmt.Sprintf("merged=%v/run=%d", merged, run), func(b *testing.B) {
				s, to := socketOf(b, open(b, Options{}), "127.0.0.1"), socketOf(b, open(b, Options{}), "127.0.0.1")
				if !merged {
					receiveUnmerged(b, to)
				}
				var ds []*Destination
				for range 20 { // distinct, so that runs are not joined
					ds = append(ds, destination(b, s, "127.0.0.1", newAddr("127.0.0.1", to.port)))
				}
				r, batch, data := to.NewReader(), NewBatch(), payload(1150, 1)
				const bursts = 8
				b.ReportAllocs()
				for b.Loop() {
					b.StopTimer()
					for i := range bursts {
						for range run {
							put(batch, ds[i], data)
						}
					}
					batch.Flush()
					b.StartTimer()
					for n := 0; n < bursts*run; {
						got, err := r.Read()
						if err != nil {
							b.Fatal(err)
						}
						n += len(got)
					}
				}
				reportPerDatagram(b, bursts*run)
			})
		}
	}
}
