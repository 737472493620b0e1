package turnserver

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"
)

// guard is what one of Pion's servers asks and tells: it authenticates requests,
// and bounds what an allocation may grow to. Any goroutine may use it.
type guard struct {
	server *Server

	mu      sync.Mutex // guards the fields below
	clients map[string]*usage
}

// usage is what an allocation has grown to.
type usage struct {
	permissions map[netip.Addr]struct{}
	channels    int
}

// config returns the configuration of one of Pion's servers.
func (g *guard) config() turn.ServerConfig {
	return turn.ServerConfig{
		Realm:         realm,
		LoggerFactory: g.server.loggers,
		InboundMTU:    maxFrame + 1,
		AuthHandler:   g.authenticate,
		QuotaHandler:  g.quota,
		EventHandler: turn.EventHandler{
			OnAllocationCreated: func(source, _ net.Addr, _, _, _ string, _ net.Addr, _ int) { g.created(source) },
			OnAllocationDeleted: func(source, _ net.Addr, _, _, _ string) { g.deleted(source) },
			OnPermissionCreated: func(source, _ net.Addr, _, _, _ string, _ net.Addr, peer net.IP) {
				g.update(source, func(u *usage) { u.permissions[addressOf(peer)] = struct{}{} })
			},
			OnPermissionDeleted: func(source, _ net.Addr, _, _, _ string, _ net.Addr, peer net.IP) {
				g.update(source, func(u *usage) { delete(u.permissions, addressOf(peer)) })
			},
			OnChannelCreated: func(source, _ net.Addr, _, _, _ string, _, _ net.Addr, _ uint16) {
				g.update(source, func(u *usage) { u.channels++ })
			},
			OnChannelDeleted: func(source, _ net.Addr, _, _, _ string, _, _ net.Addr, _ uint16) {
				g.update(source, func(u *usage) { u.channels-- })
			},
		},
	}
}

func addressOf(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

// sourceOf is a client's address; it is not valid if that is of an unknown kind.
func sourceOf(a net.Addr) netip.Addr {
	switch a := a.(type) {
	case *net.UDPAddr:
		return a.AddrPort().Addr()
	case *net.TCPAddr:
		return a.AddrPort().Addr()
	}
	return netip.Addr{}
}

// authenticate finds the user of a request and the key that it is to be checked
// with. A client with very many channels gets no more.
func (g *guard) authenticate(r *turn.RequestAttributes) (userID string, key []byte, ok bool) {
	if r.Method == stun.MethodChannelBind && g.full(r.SrcAddr) {
		return "", nil, false
	}
	id, key, ok := g.server.credentials.check(r.Username, r.Method, time.Now())
	if !ok {
		return "", nil, false
	}
	return newUser(id, sourceOf(r.SrcAddr)).String(), key, true
}

// quota reports whether a user may have one more allocation.
func (g *guard) quota(userID, _ string, _ net.Addr) bool {
	u, ok := parseUser(userID)
	return ok && g.server.accounts.room(u)
}

// permit reports whether a client may send to some ports of peer.
func (g *guard) permit(client net.Addr, peer net.IP) bool {
	a := addressOf(peer)
	if !g.server.policy.permits(a, time.Now()) {
		g.server.denied.Add(1)
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	u := g.clients[client.String()]
	if u == nil {
		return false // its allocation has just ended
	}
	_, known := u.permissions[a]
	return known || len(u.permissions) < maxPermissions
}

func (g *guard) full(client net.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	u := g.clients[client.String()]
	return u != nil && u.channels >= maxChannels
}

func (g *guard) created(client net.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.clients[client.String()] = &usage{permissions: make(map[netip.Addr]struct{})}
}

func (g *guard) deleted(client net.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.clients, client.String())
}

// update changes what is known of a client's allocation, if there is one.
func (g *guard) update(client net.Addr, change func(*usage)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if u := g.clients[client.String()]; u != nil {
		change(u)
	}
}
