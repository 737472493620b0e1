package signalling

import (
	"context"
	"crypto/sha256"
	"errors"
	"math"
	"net/netip"

	"galene/group"
	"galene/mailbox"
)

// HTTPOffer is a request for an [HTTPSession].
type HTTPOffer struct {
	// Group is the group to join, with Credentials.
	Group       string
	Credentials group.Credentials
	// SDP is the client's offer.
	SDP string
	// Address is where the client is, for operators who ask.
	Address string
	// Proof is what later requests for the session must present: empty for
	// nothing, or a secret that the client has used for this one.
	Proof string
}

// httpSessions are the sessions that there are, the opening ones included. The
// server's lock guards it.
type httpSessions struct {
	all     map[*HTTPSession]struct{}
	byKey   map[[sha256.Size]byte]*HTTPSession // by digest, so that looking one up tells nothing; the open ones
	groups  map[string]int
	sources map[netip.Addr]int
}

func newHTTPSessions() httpSessions {
	return httpSessions{
		all:     make(map[*HTTPSession]struct{}),
		byKey:   make(map[[sha256.Size]byte]*HTTPSession),
		groups:  make(map[string]int),
		sources: make(map[netip.Addr]int),
	}
}

// HTTPSession finds an open session of a group by its key.
func (s *Server) HTTPSession(kind group.MemberKind, groupName, key string) (*HTTPSession, bool) {
	digest := sha256.Sum256([]byte(key))
	s.mu.Lock()
	defer s.mu.Unlock()
	h, ok := s.http.byKey[digest]
	if !ok || h.kind != kind || h.group != groupName {
		return nil, false
	}
	return h, true
}

// openHTTP makes a session. Once it is a member, start makes its connection and
// returns the answer. Whatever fails leaves nothing behind.
//
// The error may be a [*group.JoinError].
func (s *Server) openHTTP(
	ctx context.Context, kind group.MemberKind, o HTTPOffer,
	start func(context.Context, *HTTPSession) (answer string, err error),
) (*HTTPSession, string, error) {
	h, err := s.reserve(kind, o)
	if err != nil {
		return nil, "", err
	}
	opened := false
	defer func() {
		if !opened {
			h.cleanUp()
		}
	}()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(h.ctx, cancel)() //nolint:contextcheck // the session outlives the request

	if err := h.join(ctx, o); err != nil {
		return nil, "", err
	}
	answer, err := start(ctx, h)
	if err != nil {
		return nil, "", err
	}
	s.publishKey(h)
	opened = true
	go h.run()
	return h, answer, nil
}

// reserve makes room for a session.
func (s *Server) reserve(kind group.MemberKind, o HTTPOffer) (*HTTPSession, error) {
	limits := s.limits()
	h := &HTTPSession{
		server: s, limits: limits, kind: kind, group: o.Group,
		key: randomName(), etag: `"` + randomName() + `"`,
		log:     s.log.With("address", o.Address, "group", o.Group, "session", kind.String()),
		done:    make(chan struct{}),
		mailbox: mailbox.New[*group.Event](limits.Events),
		media:   mailbox.New[mediaNews](limits.Events),
	}
	if o.Proof != "" {
		sum := sha256.Sum256([]byte(o.Proof))
		h.proof = &sum
	}
	h.ctx, h.end = context.WithCancel(context.Background())

	source, counted := whence(o.Address)
	if h.source = source; !counted {
		limits.HTTPSessionsPerAddress = math.MaxInt
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(o.SDP) > limits.SDPBytes:
		h.end()
		return nil, ErrLongOffer
	case s.stopping:
		h.end()
		return nil, ErrStopping
	case s.http.groups[h.group] >= limits.HTTPSessionsPerGroup, s.http.sources[h.source] >= limits.HTTPSessionsPerAddress:
		h.end()
		return nil, ErrTooManySessions
	}
	s.http.all[h] = struct{}{}
	s.http.groups[h.group]++
	s.http.sources[h.source]++
	s.running.Add(1)
	return h, nil
}

// publishKey makes an open session known under its key.
func (s *Server) publishKey(h *HTTPSession) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.http.byKey[sha256.Sum256([]byte(h.key))] = h
}

// forget undoes reserve and publishKey.
func (s *Server) forget(h *HTTPSession) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.http.all, h)
	delete(s.http.byKey, sha256.Sum256([]byte(h.key)))
	decrement(s.http.groups, h.group)
	decrement(s.http.sources, h.source)
	s.running.Done()
}

// decrement forgets keys that nobody counts for any more.
func decrement[K comparable](counts map[K]int, key K) {
	if counts[key]--; counts[key] <= 0 {
		delete(counts, key)
	}
}

// join makes the session a member.
func (h *HTTPSession) join(ctx context.Context, o HTTPOffer) error {
	member, err := h.server.registry.Join(ctx, o.Group, o.Credentials, group.Newcomer{
		ID: randomName(), Kind: h.kind, Address: o.Address, Mailbox: h.mailbox,
	})
	if err != nil {
		refusal, ok := errors.AsType[*group.JoinError](err)
		if ok && refusal.Delay {
			sleep(ctx, failureDelay)
		}
		return err
	}
	h.member = member
	h.log = h.log.With("member", member.ID(), "username", member.Username())
	return nil
}

// answer answers the client's offer, with all our candidates.
func (h *HTTPSession) answer(ctx context.Context, sdp string) (string, error) {
	if _, err := h.conn.Offer(sdp); err != nil {
		return "", err
	}
	return h.gathered(ctx)
}

// gathered waits until the answer has all our candidates, and returns it.
func (h *HTTPSession) gathered(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, gatherTimeout)
	defer cancel()
	return h.conn.Gathered(ctx)
}
