package signalling

import (
	"errors"
	"fmt"
	"time"
)

// read decodes the client's messages and hands them to the turns, until there is
// nothing more to read. It reports false if the connection broke, so that
// nobody is there to hear what is still to be said.
func (s *session) read() (orderly bool) {
	defer s.recovered("read")
	rate := newThrottle(s.limits, time.Now())
	for {
		frame, err := s.pipe.Read()
		if err != nil {
			s.deliver(inbound{err: err})
			return !errors.Is(err, ErrGone)
		}
		message, err := Decode(frame)
		if err != nil {
			s.deliver(inbound{err: fmt.Errorf("signalling: %w", err)})
			break
		}
		bytes := len(frame) + int(s.charged.Swap(0))
		wait, flood := rate.take(time.Now(), max(1, routes[message.Type].cost), bytes)
		if flood {
			s.deliver(inbound{err: errFlood})
			break
		}
		if !s.pause(wait) {
			break
		}
		if !s.deliver(inbound{message: message}) {
			break
		}
	}
	return s.linger()
}

// deliver hands in to the turns; it reports false when nothing is taken any more.
func (s *session) deliver(in inbound) bool {
	select {
	case s.in <- in:
		s.turns.call()
		return true
	case <-s.over:
		return false
	}
}

// pause holds the client's messages up; it reports false when there is no
// point in going on.
func (s *session) pause(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.over:
		return false
	case <-s.out.done:
		return false
	}
}

// linger ignores what the client sends until it has answered the close frame or
// the pipe is cut, so that no unread bytes make the system reset the connection
// before the client has seen the close frame.
func (s *session) linger() (orderly bool) {
	for {
		if _, err := s.pipe.Read(); err != nil {
			return !errors.Is(err, ErrGone)
		}
	}
}
