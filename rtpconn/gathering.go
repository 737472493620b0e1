package rtpconn

import (
	"context"
	"errors"
	"time"

	"github.com/pion/webrtc/v4"
)

// gathering ends when the candidates of one offer's answer are complete.
type gathering struct{ done <-chan struct{} }

// gather takes note that the local description is about to be set, with which
// gathering begins.
func (p *peer) gather() {
	p.gathering.Store(&gathering{webrtc.GatheringCompletePromise(p.pc)})
}

// gathered waits until our candidates for the last offer are complete, and
// returns the answer with all of them.
func (p *peer) gathered(ctx context.Context) (answer string, err error) {
	g := p.gathering.Load()
	if g == nil {
		return "", ErrClosed
	}
	// Pion tells nobody who begins to wait just when it completes, but its state is
	// right.
	look := time.NewTicker(gatheringLook)
	defer look.Stop()
	for complete := false; !complete; {
		select {
		case <-g.done:
			complete = true
		case <-look.C:
			complete = p.pc.ICEGatheringState() == webrtc.ICEGatheringStateComplete
		case <-ctx.Done():
			return "", ctx.Err()
		case <-p.ctx.Done():
			return "", ErrClosed
		}
	}
	description := p.pc.LocalDescription()
	if description == nil {
		return "", ErrClosed
	}
	return description.SDP, nil
}

// awaitGathering waits until the candidates of the last answer are complete: an
// offer that restarts ICE changes what Pion is gathering with. Without servers to
// ask, that takes no time to speak of.
func (p *peer) awaitGathering() error {
	ctx, cancel := context.WithTimeout(p.ctx, gatheringTimeout)
	defer cancel()
	if _, err := p.gathered(ctx); errors.Is(err, context.DeadlineExceeded) {
		return refused("The connection is still being prepared.", err)
	} else if err != nil {
		return ErrClosed
	}
	return nil
}

// offered returns the last offer that was taken; empty before the first.
func (p *peer) offered() string {
	if d := p.pc.RemoteDescription(); d != nil {
		return d.SDP
	}
	return ""
}
