package tcpmux

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// agentTimeout is how long an ICE agent waits for a peer on TCP: longer than any
// negotiation takes.
const agentTimeout = time.Minute

// idleAgents are the ICE agents that no peer has connected to over TCP. Any
// goroutine may use it.
type idleAgents struct {
	mu     sync.Mutex // guards agents
	agents map[string]*agent
}

// agent is an ICE agent that waits.
type agent struct {
	since time.Time // immutable
	used  atomic.Bool
}

// add notes that an agent waits, since now if it is new.
func (i *idleAgents) add(ufrag string, now time.Time) *agent {
	i.mu.Lock()
	defer i.mu.Unlock()
	a := i.agents[ufrag]
	if a == nil {
		a = &agent{since: now}
		i.agents[ufrag] = a
	}
	return a
}

func (i *idleAgents) remove(ufrag string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.agents, ufrag)
}

// idle returns the agents that have waited in vain, and forgets them and those
// that have not.
func (i *idleAgents) idle(now time.Time) []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	var idle []string
	for ufrag, a := range i.agents {
		if now.Sub(a.since) < agentTimeout {
			continue
		}
		delete(i.agents, ufrag)
		if !a.used.Load() {
			idle = append(idle, ufrag)
		}
	}
	return idle
}

// packetConn notices that a peer has connected.
type packetConn struct {
	net.PacketConn
	agent *agent
}

// ReadFrom reads a packet.
func (c *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.PacketConn.ReadFrom(b)
	if err == nil && !c.agent.used.Load() {
		c.agent.used.Store(true)
	}
	return n, from, err
}
