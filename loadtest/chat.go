package loadtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"
)

// What follows the tag in messages that were sent while measuring, and in others.
var (
	measuredMark   = []byte(" measured ")
	unmeasuredMark = []byte(" ")
)

// chat sends messages to all of a group and notes when they arrive.
type chat struct {
	// Immutable.
	run *run
	tag []byte // what the messages of this run begin with

	measuring  atomic.Bool
	sent       atomic.Uint64 // while measuring
	deliveries atomic.Uint64 // of those
	delay      histogram     // of those
}

func newChat(r *run) *chat { return &chat{run: r, tag: []byte("load test " + newID())} }

// talk sends at the scenario's rate on behalf of c until ctx ends.
func (t *chat) talk(ctx context.Context, c *client) {
	c.speaks.Store(true)
	ticker := time.NewTicker(time.Duration(float64(time.Second) / t.run.scenario.Chat))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		measured := t.measuring.Load()
		mark := unmeasuredMark
		if measured {
			mark = measuredMark
		}
		value, err := json.Marshal(fmt.Sprintf("%s%s%d", t.tag, mark, t.run.now()))
		if err == nil {
			err = c.send(&message{Type: "chat", Source: c.id, NoEcho: true, Value: value})
		}
		if err != nil {
			return // the client's reader says why
		}
		if measured {
			t.sent.Add(1)
		}
	}
}

// note looks for a message of this run, sent while measuring, in what c has received. It reports whether it has found one: these
// are so many that they are not decoded.
func (t *chat) note(c *client, b []byte) bool {
	_, rest, ours := bytes.Cut(b, t.tag)
	if !ours {
		return false
	}
	if !bytes.HasPrefix(rest, measuredMark) || c.speaks.Load() {
		return true
	}
	digits := rest[len(measuredMark):]
	end := bytes.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
	if sent, err := strconv.ParseInt(string(digits[:max(end, 0)]), 10, 64); err == nil {
		t.deliveries.Add(1)
		t.delay.add(durationBetween(sent, c.run.now()))
	}
	return true
}
