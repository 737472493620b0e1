package signalling

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// memoryPipe is a pipe whose other end is a test. It uses nothing but channels
// and locks, so that it works with a fake clock.
type memoryPipe struct {
	in  chan []byte   // to the server; closed when the client says goodbye
	cut chan struct{} // closed when the pipe is cut
	// stuck makes writes wait for their deadline, as if the client read nothing.
	stuck chan struct{}

	mu      sync.Mutex // guards the fields below
	out     [][]byte   // from the server
	writes  int        // how many there were
	code    int        // of the close frame; 0 if there is none
	reason  string
	isCut   bool
	tooBig  bool        // the next read finds a message that is too big
	linger  *time.Timer // cuts the pipe if the client does not answer
	written chan struct{}
}

func newMemoryPipe() *memoryPipe {
	return &memoryPipe{
		in: make(chan []byte, 10000), cut: make(chan struct{}),
		stuck: make(chan struct{}), written: make(chan struct{}, 1),
	}
}

func (p *memoryPipe) Read() ([]byte, error) {
	select {
	case frame, ok := <-p.in:
		p.mu.Lock()
		defer p.mu.Unlock()
		switch {
		case !ok:
			return nil, ErrClosed
		case p.isCut:
			return nil, ErrGone
		case p.tooBig:
			return nil, ErrTooBig
		}
		return frame, nil
	case <-p.cut:
		return nil, ErrGone
	}
}

func (p *memoryPipe) Write(messages [][]byte, deadline time.Time) error {
	select {
	case <-p.stuck:
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-p.cut:
		}
		return ErrGone
	default:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isCut || p.code != 0 {
		return ErrGone
	}
	p.writes++
	for _, m := range messages {
		p.out = append(p.out, slices.Clone(m))
	}
	select {
	case p.written <- struct{}{}:
	default:
	}
	return nil
}

func (p *memoryPipe) Close(code int, reason string, deadline time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isCut {
		return ErrGone
	}
	p.code, p.reason = code, shortReason(reason)
	p.linger = time.AfterFunc(time.Until(deadline), p.Cut)
	return nil
}

func (p *memoryPipe) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isCut {
		return
	}
	p.isCut = true
	if p.linger != nil {
		p.linger.Stop()
	}
	close(p.cut)
}

// received takes the oldest message that the server has sent.
func (p *memoryPipe) received() (frame []byte, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.out) == 0 {
		return nil, false
	}
	frame = p.out[0]
	p.out = p.out[1:]
	return frame, true
}

func (p *memoryPipe) writeCount() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.writes
}

// end tells how the server ended the connection: with a code, or with 0 if it
// was cut.
func (p *memoryPipe) end() (code int, reason string, over bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.code, p.reason, p.code != 0 || p.isCut
}

// wait drops what the server sends, up to a message that contains part.
func (p *memoryPipe) wait(part string) {
	for {
		frame, ok := p.received()
		switch {
		case !ok:
			<-p.written
		case strings.Contains(string(frame), part):
			return
		}
	}
}
