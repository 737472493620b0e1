package udpsocket

import (
	"fmt"
	"testing"
)

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
		ds = append(ds, destination(b, s, "127.0.0.1", newAddr("127.0.0.1", to.port)))
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
