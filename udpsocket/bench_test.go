package udpsocket

import (
	"fmt"
	"testing"
)

func TestReadingAndSendingDoNotAllocate(t *testing.T) { // not parallel: it counts
	for _, ip := range []string{"127.0.0.1", "::1"} {
		s, to := socketOf(t, open(t, Options{}), ip), socketOf(t, open(t, Options{}), ip)
		d := destination(t, s, ip, newAddr(ip, to.port()))
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

const (
	benchPeers  = 50
	burstLength = 6
)

// benchSend measures bursts of 6 datagrams to each of 50 destinations, with what
// the loopback interface does to deliver them one by one, but not their reading.
func benchSend(b *testing.B, send func(ds []*Destination, data []byte)) {
	b.Helper()
	s := socketOf(b, open(b, Options{}), "127.0.0.1")
	var ds []*Destination
	var readers []*Reader
	for range benchPeers {
		to := socketOf(b, open(b, Options{}), "127.0.0.1")
		receiveUnmerged(b, to)
		ds = append(ds, destination(b, s, "127.0.0.1", newAddr("127.0.0.1", to.port())))
		readers = append(readers, to.NewReader())
	}
	data := payload(1150, 1)
	b.ReportAllocs()
	for b.Loop() {
		send(ds, data)
		b.StopTimer()
		for _, r := range readers {
			for n := 0; n < burstLength; {
				got, err := r.Read()
				if err != nil {
					b.Fatal(err)
				}
				n += len(got)
			}
		}
		b.StartTimer()
	}
	reportPerDatagram(b, burstLength*benchPeers)
}

func reportPerDatagram(b *testing.B, datagrams int) {
	b.Helper()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*datagrams), "ns/datagram")
}

func BenchmarkSend(b *testing.B) {
	b.Run("plain", func(b *testing.B) {
		benchSend(b, func(ds []*Destination, data []byte) {
			for _, d := range ds {
				for range burstLength {
					if err := d.Send(data); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	})
	for _, run := range []int{1, 2, 6} {
		b.Run(fmt.Sprintf("batch/run=%d", run), func(b *testing.B) {
			batch := NewBatch()
			benchSend(b, func(ds []*Destination, data []byte) {
				for _, d := range ds {
					for i := range burstLength {
						put(batch, d, data[:len(data)-i/run])
					}
				}
				batch.Flush()
			})
		})
	}
}
