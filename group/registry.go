package group

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"galene/config"
	"galene/password"
	"galene/token"
)

// maxSubgroups bounds the groups without a file that are in memory.
const maxSubgroups = 4096

// Options are what a registry needs.
type Options struct {
	// Directory holds the definitions. It need not exist.
	Directory string
	// Settings returns the server's current configuration; nil means the
	// default one. It is never called under a lock.
	Settings func() *config.Settings
	// Tokens holds the stateful tokens; with nil there are none.
	Tokens *token.Store
	// PollOnly has changes of definitions looked for once a second, even where
	// the system would tell of them.
	PollOnly bool
	// Log is nil to log nothing.
	Log *slog.Logger
}

// Registry holds the groups of one server. Its methods may be called from any
// goroutine.
type Registry struct {
	// Immutable.
	settings func() *config.Settings
	log      *slog.Logger
	tokens   *token.Store // may be nil
	throttle *throttle
	library  *library
	pollOnly bool
	// check compares a stored password with what was offered, and hash makes
	// one to be stored.
	check func(ctx context.Context, p *password.Password, offered string) (bool, error)
	hash  func(ctx context.Context, offered string) (password.Password, error)
	// beforeCommit is called when a change of a definition is ready, just
	// before it is seen whether the file is still the same; nil but in tests.
	beforeCommit func()

	// Any goroutine.
	warned   atomic.Bool // that tokens are taken whatever host they are for
	writable atomic.Bool // whether definitions may be changed; as of lately
	recheck  atomic.Bool // whether changes of definitions apply to members; as of lately

	writing sync.Mutex // held by whoever changes a definition on disk, and nothing else

	mu           sync.Mutex // guards the fields below; taken before Group.mu
	groups       map[string]*Group
	closed       bool // nobody can join any more, and is told closeMessage
	closeMessage string
}

// NewRegistry returns a registry without groups. Its Run has to be running for
// groups to follow their files.
func NewRegistry(o Options) *Registry {
	if o.Settings == nil {
		o.Settings = func() *config.Settings { return &config.Settings{} }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	checker := password.NewChecker()
	r := &Registry{
		settings: o.Settings,
		log:      o.Log,
		tokens:   o.Tokens,
		throttle: newThrottle(),
		library:  newLibrary(o.Directory, o.Log),
		pollOnly: o.PollOnly,
		check:    checker.Check,
		hash:     checker.Hash,
		groups:   make(map[string]*Group),
	}
	r.configure()
	return r
}

// Description returns the present definition of the group called name. Asking
// does not make a group, except that public groups are listed from then on.
// The error is [ErrInvalidName], [ErrNotFound] or a [*DefinitionError].
func (r *Registry) Description(name string) (*Description, error) {
	return r.describe(name)
}

// Status returns what anybody may see of the group called name. Errors are
// those of [Registry.Description].
func (r *Registry) Status(name string) (Status, error) {
	d, err := r.describe(name)
	if err != nil {
		return Status{}, err
	}
	if g := r.find(name); g != nil {
		return g.publicStatus(), nil
	}
	return statusOf(name, d), nil
}

// PublicStatuses returns the status of every public group, sorted by name. It
// is never nil.
func (r *Registry) PublicStatuses() []Status {
	statuses := []Status{}
	for _, g := range r.all() {
		if g.listed() {
			statuses = append(statuses, g.publicStatus())
		}
	}
	slices.SortFunc(statuses, func(a, b Status) int { return cmp.Compare(a.Name, b.Name) })
	return statuses
}

// Shutdown locks every group with message and kicks every member with it.
// Nobody can join afterwards.
func (r *Registry) Shutdown(message string) {
	r.mu.Lock()
	r.closed, r.closeMessage = true, message
	r.mu.Unlock()
	for _, g := range r.all() {
		g.close(message)
	}
}

// find returns the group called name if it is in memory.
func (r *Registry) find(name string) *Group {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.groups[name]
}

// Groups returns the groups in memory, sorted by name: those with members, and
// some of those without.
func (r *Registry) Groups() []*Group {
	groups := r.all()
	slices.SortFunc(groups, func(a, b *Group) int { return cmp.Compare(a.name, b.name) })
	return groups
}

// all returns the groups in memory, in no order.
func (r *Registry) all() []*Group {
	r.mu.Lock()
	defer r.mu.Unlock()
	groups := make([]*Group, 0, len(r.groups))
	for _, g := range r.groups {
		groups = append(groups, g)
	}
	return groups
}

// below returns the groups in memory whose names lie below name.
func (r *Registry) below(name string) []*Group {
	return slices.DeleteFunc(r.all(), func(g *Group) bool {
		return !strings.HasPrefix(g.name, name+"/")
	})
}

// describe returns the definition of the group called name, reading the file if
// it has changed. A group in memory takes over what is new.
func (r *Registry) describe(name string) (*Description, error) {
	if !ValidName(name) {
		return nil, ErrInvalidName
	}
	r.configure()
	return r.reread(name)
}

// configure takes over what groups need from the configuration.
func (r *Registry) configure() {
	settings := r.settings()
	r.writable.Store(settings.WritableGroups)
	r.recheck.Store(settings.RecheckMembers)
}

// reread is describe for a valid name, when the settings are known.
func (r *Registry) reread(name string) (*Description, error) {
	d, asOf, err := r.library.load(name)
	g := r.find(name)
	switch {
	case err != nil && g != nil:
		g.orphan(asOf, err)
	case err != nil:
	case g != nil:
		g.reload(d, asOf)
	case d.Public:
		r.enlist(name, d)
	}
	return d, err
}

// enlist takes a public group into memory, so that it is listed.
func (r *Registry) enlist(name string, d *Description) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.groups[name] == nil && !r.closed {
		r.groups[name] = newGroup(r, name, d)
	}
}

// listed reports whether the group is one of the public ones.
func (g *Group) listed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.description.Public && g.orphaned.IsZero()
}

// reload makes d the group's definition unless it has a later one.
func (g *Group) reload(d *Description, asOf uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if asOf < g.asOf {
		return
	}
	old := g.description
	g.asOf, g.description, g.orphaned = asOf, d, time.Time{}
	if d != old && !d.sameAs(old) {
		g.changedLocked()
		if g.registry.recheck.Load() {
			g.recheckLocked()
		}
		g.autoRulesLocked()
	}
}

// orphan notes that the group's definition is gone, if that is what err says.
// The group goes on with what it has.
func (g *Group) orphan(asOf uint64, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !errors.Is(err, ErrNotFound) || asOf < g.asOf {
		return
	}
	g.asOf = asOf
	if g.orphaned.IsZero() {
		g.orphaned = time.Now()
	}
}

// roomForSubgroupLocked makes room for one more group without a file, by
// forgetting the one that has been without members for longest.
func (r *Registry) roomForSubgroupLocked() bool {
	if len(r.groups) < maxSubgroups {
		return true
	}
	count := 0
	var victim *Group
	var idle time.Time
	for _, g := range r.groups {
		g.mu.Lock()
		if g.description.inferred {
			count++
			if len(g.order) == 0 && (victim == nil || g.idle.Before(idle)) {
				victim, idle = g, g.idle
			}
		}
		g.mu.Unlock()
	}
	if count < maxSubgroups {
		return true
	}
	if victim == nil {
		return false
	}
	delete(r.groups, victim.name)
	return true
}
