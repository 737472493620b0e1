// Package config holds what the administrator configures: the file
// data/config.json, and how files of configuration are read.
//
// [Store] keeps the current [Settings] and notices changes of the file. [Read]
// and [Decode] read any strict JSON file, and say in which line and field a
// mistake is; group definitions use them too, and share [User]. [Replace],
// [Create] and [Remove] change files so that no crash leaves half of one.
//
// # Ownership
//
// Settings are immutable. A Store may be used from any goroutine.
package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
)

// Settings is the contents of data/config.json. The zero value is what a
// missing file means. It must not be changed.
type Settings struct {
	// Users are the server's administrators: those with the permission
	// "admin". Other permissions mean nothing here.
	Users map[string]User `json:"users,omitempty"`
	// WritableGroups allows group definitions to be changed over HTTP.
	WritableGroups bool `json:"writableGroups,omitempty"`
	// RecheckMembers applies changes of a group's users to those who are in
	// the group already, and has them leave when it is closed or deleted.
	RecheckMembers bool `json:"recheckMembers,omitempty"`
	// CanonicalHost is the host, with an optional port, that browsers are
	// sent to and that tokens have to be for; any if empty.
	CanonicalHost string `json:"canonicalHost,omitempty"`
	// ProxyURL replaces scheme, host and path prefix of published URLs.
	ProxyURL string `json:"proxyURL,omitempty"`
	// AllowOrigin lists further origins allowed for WebSocket and WHIP.
	AllowOrigin []string `json:"allowOrigin,omitempty"`
	// AllowAdminOrigin lists further origins allowed for the admin API.
	AllowAdminOrigin []string `json:"allowAdminOrigin,omitempty"`
	// PublicServer allows every origin for WebSocket, WHIP and status.
	PublicServer bool `json:"publicServer,omitempty"`

	// Limits bounds what clients may do.
	Limits Limits `json:"limits,omitzero"`
	// PublicAddresses are what clients reach the server by, if it is behind a
	// NAT; at most one of each family. They are read at the start only.
	PublicAddresses []string `json:"publicAddresses,omitempty"`
	// TURNPeers lists further hosts that clients may reach through the built-in
	// TURN server; see [ParsePeers]. They are read at the start only.
	TURNPeers []string `json:"turnPeers,omitempty"`

	// Admin is how administrators were listed long ago. It is ignored.
	Admin []json.RawMessage `json:"admin,omitempty"`
}

// Store keeps the settings of one file.
type Store struct {
	path    string
	log     *slog.Logger
	current atomic.Pointer[Settings]

	mu     sync.Mutex // held by whoever reads the file; guards the fields below
	tag    Tag        // of the file that was read last, good or bad
	failed string     // the last error that was logged; empty when all is well
}

// Open returns the store of the file at path, having read it. A file that is
// missing or faulty does not prevent that: the settings are the default ones
// then, and faults are logged.
func Open(path string, log *slog.Logger) *Store {
	s := &Store{path: path, log: log}
	s.current.Store(&Settings{})
	s.refresh()
	return s
}

// Settings returns the current settings; the result is immutable. The file is
// looked at on every call, and read again when it has changed. A faulty file is
// logged once and leaves the last good settings in force; a file that was
// removed means the default settings.
//
// Settings does no more than ask the file system for the file's attributes, and
// never waits for another goroutine that is reading. It must not be called
// under a lock.
func (s *Store) Settings() *Settings {
	s.refresh()
	return s.current.Load()
}

func (s *Store) refresh() {
	if !s.mu.TryLock() {
		return // somebody else is at it
	}
	defer s.mu.Unlock()

	info, err := os.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		if s.tag != (Tag{}) || s.failed != "" {
			s.tag, s.failed = Tag{}, ""
			s.current.Store(&Settings{})
		}
		return
	}
	if err == nil && s.tag.Same(info) {
		return
	}
	settings, tag, err := load(s.path)
	s.tag = tag
	if err != nil {
		if s.failed != err.Error() {
			s.failed = err.Error()
			s.log.Error("configuration not read, keeping the last good one", "error", err)
		}
		return
	}
	s.failed = ""
	s.warn(settings)
	s.current.Store(settings)
}

// warn logs what is odd in new settings but does not make them bad.
func (s *Store) warn(settings *Settings) {
	if settings.Admin != nil && s.current.Load().Admin == nil {
		s.log.Warn("obsolete field ignored, use users", "file", s.path, "field", "admin")
	}
	if settings.PublicServer && !s.current.Load().PublicServer {
		s.log.Warn("every web site may use this server's groups in the name of its visitors",
			"file", s.path, "field", "publicServer")
	}
	for name, user := range settings.Users {
		if err := user.Password.Validate(); err != nil {
			s.log.Warn("user cannot log in", "file", s.path, "username", name, "error", err)
		}
	}
}

// load reads the settings in the file at path. The tag is that of the file even
// if its contents are bad.
func load(path string) (*Settings, Tag, error) {
	data, tag, err := Read(path)
	if err != nil {
		return nil, tag, &FileError{File: path, Err: err}
	}
	var settings Settings
	if err := Decode(path, data, &settings); err != nil {
		return nil, tag, err
	}
	if err := settings.validate(); err != nil {
		return nil, tag, &FileError{File: path, Err: err}
	}
	return &settings, tag, nil
}

// validate reports every field whose value cannot be used.
func (s *Settings) validate() error {
	var errs []error
	if s.ProxyURL != "" {
		u, err := url.Parse(s.ProxyURL)
		if err == nil && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
			err = errors.New("not an http or https URL")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("field \"proxyURL\": %w", err))
		}
	}
	if u, err := url.Parse("//" + s.CanonicalHost); err != nil || u.Host != s.CanonicalHost {
		errs = append(errs, errors.New("field \"canonicalHost\": not a host with an optional port"))
	}
	if err := s.Limits.validate(); err != nil {
		errs = append(errs, err)
	}
	if _, err := ParsePublicAddresses(s.PublicAddresses); err != nil {
		errs = append(errs, fmt.Errorf("field \"publicAddresses\": %w", err))
	}
	if len(s.TURNPeers) > maxTURNPeers {
		errs = append(errs, fmt.Errorf("field \"turnPeers\": more than %d elements", maxTURNPeers))
	}
	for _, peers := range s.TURNPeers {
		if _, err := ParsePeers(peers); err != nil {
			errs = append(errs, fmt.Errorf("field \"turnPeers\": %w", err))
		}
	}
	return errors.Join(errs...)
}
