package udpsocket

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// watched returns what this process has itself told of a descriptor, by all its instances of epoll (proc(5)).
func watched(t *testing.T, fd uintptr) (events []uint32) {
	t.Helper()
	files, err := filepath.Glob("/proc/self/fdinfo/*")
	if err != nil || len(files) == 0 {
		t.Skip("the system does not tell what is watched")
	}
	for _, file := range files {
		info, err := os.ReadFile(file)
		if err != nil {
			continue // closed meanwhile
		}
		for line := range strings.Lines(string(info)) {
			var number uintptr
			var what uint32
			if n, _ := fmt.Sscanf(line, "tfd: %d events: %x", &number, &what); n == 2 && number == fd {
				events = append(events, what)
			}
		}
	}
	return events
}

// Whoever is told that there is room for sending is woken for each datagram that has left.
func TestDatagramsThatLeaveWakeNobody(t *testing.T) {
	t.Parallel()
	for _, s := range open(t, Options{}) {
		err := s.control(func(fd uintptr) {
			events := watched(t, fd)
			if len(events) != 1 || events[0]&(unix.EPOLLIN|unix.EPOLLOUT) != unix.EPOLLIN {
				t.Errorf("%s: watched for %#x, want arrivals alone", s.network(), events)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestWaitingForRoomEnds(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})[0]
	if err := s.awaitRoom(time.Now().Add(time.Minute)); err != nil {
		t.Errorf("with room: %v", err)
	}
	if err := s.awaitRoom(time.Now()); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("at the limit: %v, want os.ErrDeadlineExceeded", err)
	}
}
