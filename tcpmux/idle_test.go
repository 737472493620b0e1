package tcpmux

import (
	"log/slog"
	"net"
	"slices"
	"testing"
	"time"
)

func TestAgentsThatNobodyConnectsToWaitNoLonger(t *testing.T) {
	t.Parallel()
	l := listen(t)
	m := New(l, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = m.Close() })
	get := func(ufrag string) net.PacketConn {
		t.Helper()
		c, err := m.GetConnByUfrag(ufrag, false, net.IPv4(127, 0, 0, 1))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	used := get("used")
	get("idle")
	get("removed")
	m.RemoveConnByUfrag("removed")
	client := dial(t, l.Addr())
	if _, err := client.Write(frame(bindingRequest(t, "used:x"))); err != nil {
		t.Fatal(err)
	}
	if _, _, err := used.ReadFrom(make([]byte, 2000)); err != nil {
		t.Fatal(err)
	}

	now := time.Now()
	if got := m.agents.idle(now.Add(agentTimeout / 2)); len(got) != 0 {
		t.Errorf("idle too early: %v", got)
	}
	if got := m.agents.idle(now.Add(agentTimeout)); !slices.Equal(got, []string{"idle"}) {
		t.Errorf("idle: %v, want the one that nobody connects to", got)
	}
	if got := len(m.agents.agents); got != 0 {
		t.Errorf("%d agents are remembered, want none", got)
	}
}

func TestRemovedAgentReadsAnError(t *testing.T) {
	t.Parallel()
	m := New(listen(t), slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = m.Close() })
	c, err := m.GetConnByUfrag("ada", false, net.IPv4(127, 0, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m.RemoveConnByUfrag("ada")
	if n, _, err := c.ReadFrom(make([]byte, 10)); err == nil {
		t.Errorf("read %d bytes, want an error", n)
	}
}
