package loadtest

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// chat sends messages to all of a group and notes when they arrive.
type chat struct {
	// Immutable.
	run *run
	tag string // what the messages of this run begin with

	measuring  atomic.Bool
	sent       atomic.Uint64 // while measuring
	deliveries atomic.Uint64 // of those
	delay      histogram     // of those
}

func newChat(r *run) *chat { return &chat{run: r, tag: "load test " + newID()} }

// talk sends at the scenario's rate on behalf of c until ctx ends.
func (t *chat) talk(ctx context.Context, c *client) {
	ticker := time.NewTicker(time.Duration(float64(time.Second) / t.run.scenario.Chat))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		measured := t.measuring.Load()
		value, err := json.Marshal(fmt.Sprintf("%s %t %d", t.tag, measured, t.run.now()))
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

// handleChat counts what was sent while measuring.
func (c *client) handleChat(m *message) error {
	t := c.run.chat
	rest, ours := strings.CutPrefix(m.text(), t.tag+" true ")
	if !ours || m.Source == c.id {
		return nil
	}
	if sent, err := strconv.ParseInt(rest, 10, 64); err == nil {
		t.deliveries.Add(1)
		t.delay.add(durationBetween(sent, c.run.now()))
	}
	return nil
}
