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
	// Log is nil to log nothing.
	Log *slog.Logger
}

// Registry holds the groups of one server. Its methods may be called from any
// goroutine.
type Registry struct {
	// Immutable.
	settings  func() *config.Settings
	log       *slog.Logger
	tokens    *token.Store // may be nil
	throttle  *throttle
	directory directory
	// check compares a stored password with what was offered.
	check func(ctx context.Context, p *password.Password, offered string) (bool, error)

	// Any goroutine.
	serial   atomic.Uint64 // of the latest reading of a definition
	warned   atomic.Bool   // that tokens are taken whatever host they are for
	writable atomic.Bool   // whether definitions may be changed; as of lately

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
	r := &Registry{
		settings:  o.Settings,
		log:       o.Log,
		tokens:    o.Tokens,
		throttle:  newThrottle(),
		directory: directory{path: o.Directory, log: o.Log},
		check:     password.NewChecker().Check,
		groups:    make(map[string]*Group),
	}
	r.writable.Store(o.Settings().WritableGroups)
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
		if g.Description().Public {
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

// describe reads the definition of the group called name, unless it is known
// and unchanged. A group in memory takes over what is new.
func (r *Registry) describe(name string) (*Description, error) {
	if !ValidName(name) {
		return nil, ErrInvalidName
	}
	r.writable.Store(r.settings().WritableGroups)
	return r.reread(name)
}

// reread is describe for a valid name, when the settings are known.
func (r *Registry) reread(name string) (*Description, error) {
	var known *Description
	g := r.find(name)
	if g != nil {
		known = g.Description()
	}
	d, err := r.directory.load(name, known, r.serial.Add(1))
	switch {
	case err != nil && g != nil:
		r.forgetIfGone(g, err)
	case err != nil:
	case g != nil:
		if g.reload(d) {
			r.logWarnings(name, d)
		}
	case d.Public:
		r.enlist(name, d)
	}
	return d, err
}

// enlist takes a public group into memory, so that it is listed.
func (r *Registry) enlist(name string, d *Description) {
	r.mu.Lock()
	_, ok := r.groups[name]
	if !ok && !r.closed {
		r.groups[name] = newGroup(r, name, d)
	}
	r.mu.Unlock()
	if !ok {
		r.logWarnings(name, d)
	}
}

// reload makes d the group's definition unless it has a later one, and reports
// whether that says something else.
func (g *Group) reload(d *Description) (changed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	old := g.description
	g.failed = ""
	if d == old || d.serial <= old.serial {
		return false
	}
	g.description = d
	if d.sameAs(old) {
		return false
	}
	g.changedLocked()
	g.autoRulesLocked()
	return true
}

// forgetIfGone forgets g, whose definition could not be read because of err, if
// the file is gone or faulty and there are no members. Otherwise it goes on as
// it was.
func (r *Registry) forgetIfGone(g *Group, err error) {
	bad, ok := errors.AsType[*DefinitionError](err)
	if !errors.Is(err, ErrNotFound) && !(ok && bad.Line > 0) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.order) == 0 && r.groups[g.name] == g {
		delete(r.groups, g.name)
	}
}

// logWarnings logs what is odd in a definition that comes into force.
func (r *Registry) logWarnings(name string, d *Description) {
	for _, warning := range d.warnings {
		r.log.Warn("definition", "group", name, "file", d.file, "problem", warning)
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
