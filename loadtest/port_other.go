//go:build !linux

package loadtest

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"galene/udpmux"
	"galene/udpsocket"
)

// poller opens ports, each of which is read by goroutines of its own.
type poller struct {
	now      func() int64
	loopback bool
}

func newPoller(now func() int64, local []netip.Addr) (*poller, error) {
	return &poller{now: now, loopback: len(local) > 0 && local[0].IsLoopback()}, nil
}

// maxPause is the longest time between two calls of work.
const maxPause = 5 * time.Millisecond

// poll calls work whenever that asks for it, until ctx ends.
func (*poller) poll(ctx context.Context, work func() time.Duration) {
	for sleep(ctx, min(work(), maxPause)) {
	}
}

func (*poller) close() {} // there is nothing to close
func (*poller) ease()  {} // nor to slow down

func (p *poller) listen() (port, error) {
	mux, err := udpmux.Listen(udpmux.Options{Loopback: p.loopback, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	return &muxPort{mux, p.now}, nil
}

// muxPort is a port that nobody shares.
type muxPort struct {
	*udpmux.Mux
	now func() int64
}

func (p *muxPort) attach(ufrag string, r receiver) {
	p.SetReceiver(ufrag, &timed{receiver: r, now: p.now})
}

// gather and release do nothing: datagrams leave one by one.
func (*muxPort) gather()  {}
func (*muxPort) release() {}

// timed tells a receiver when packets came: when the burst that they are part of was read.
type timed struct {
	receiver receiver
	now      func() int64
}

func (t *timed) ReceiveRTP(b []byte, _ *udpsocket.Batch) bool {
	return len(b) >= rtpHeader && t.receiver.arrived(b, t.now())
}

func (*timed) EndBurst(*udpsocket.Batch) {}
