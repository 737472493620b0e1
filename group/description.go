package group

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"galene/codecs"
	"galene/config"
	"galene/token"
)

const (
	// defaultHistoryAge is how long chat history is kept, and an empty group
	// remembered, unless the definition says otherwise.
	defaultHistoryAge = 4 * time.Hour
	// maxHistoryAge bounds what a definition may say.
	maxHistoryAge = 10 * 365 * 24 * time.Hour
)

// DefinitionError says what is wrong with a group's definition, in which file,
// line and field.
type DefinitionError = config.FileError

// Description is the definition of a group as it stands in its file, in the
// present form: older fields are converted when it is read. It must not be
// changed.
type Description struct {
	DisplayName string `json:"displayName,omitempty"`
	Description string `json:"description,omitempty"`
	// Contact and Comment are for administrators; they are never published.
	Contact string `json:"contact,omitempty"`
	Comment string `json:"comment,omitempty"`
	// Public groups are listed.
	Public bool `json:"public,omitempty"`
	// Redirect is the URL to which clients are sent instead.
	Redirect string `json:"redirect,omitempty"`
	// MaxClients bounds the number of members; unlimited unless positive.
	MaxClients int `json:"max-clients,omitempty"`
	// MaxHistoryAge is in seconds; see HistoryAge.
	MaxHistoryAge int `json:"max-history-age,omitempty"`
	// NotBefore and Expires bound the time of joining; nil is no bound.
	NotBefore *time.Time `json:"not-before,omitempty"`
	Expires   *time.Time `json:"expires,omitempty"`
	// AllowRecording gives operators the permission to record, and
	// UnrestrictedTokens gives presenters the one to make tokens.
	AllowRecording     bool `json:"allow-recording,omitempty"`
	UnrestrictedTokens bool `json:"unrestricted-tokens,omitempty"`
	// AllowAnonymous false refuses the empty username; nil allows it.
	AllowAnonymous *bool `json:"allow-anonymous,omitempty"`
	// AutoSubgroups makes every name below this group's a group like it.
	AutoSubgroups bool `json:"auto-subgroups,omitempty"`
	// Autolock locks the group, and Autokick kicks everybody, while there is
	// no operator.
	Autolock bool `json:"autolock,omitempty"`
	Autokick bool `json:"autokick,omitempty"`
	// Users are the users by name. For other names FallbackUsers are tried in
	// turn, then WildcardUser.
	Users         map[string]config.User `json:"users,omitempty"`
	FallbackUsers []config.User          `json:"fallback-users,omitempty"`
	WildcardUser  *config.User           `json:"wildcard-user,omitempty"`
	// AuthKeys are JSON Web Keys that verify tokens.
	AuthKeys   []json.RawMessage `json:"authKeys,omitempty"`
	AuthServer string            `json:"authServer,omitempty"`
	AuthPortal string            `json:"authPortal,omitempty"`
	// Codecs are names in order of preference; see CodecNames.
	Codecs []string `json:"codecs,omitempty"`

	file     string            // below the directory of groups
	sum      [sha256.Size]byte // of the file's contents
	inferred bool              // the group has no file, this is its ancestor's
	keys     []*token.Key      // those of AuthKeys that can be used
	warnings []string
}

// CodecNames lists the codecs of the group in order of preference: those that
// the definition names, or the default ones. Names may be unknown.
func (d *Description) CodecNames() []string {
	if len(d.Codecs) == 0 {
		return codecs.DefaultNames()
	}
	return slices.Clone(d.Codecs)
}

// HistoryAge is how long chat history is kept, and how long the group is
// remembered after its last member has left.
func (d *Description) HistoryAge() time.Duration {
	if d.MaxHistoryAge <= 0 {
		return defaultHistoryAge
	}
	if d.MaxHistoryAge > int(maxHistoryAge/time.Second) {
		return maxHistoryAge
	}
	return time.Duration(d.MaxHistoryAge) * time.Second
}

// permissions are those that d gives to user. What a set implies beyond its
// members comes first, and is not implied by a list of permissions.
func (d *Description) permissions(user config.User) Permissions {
	var extra []string
	switch user.Permissions.Set() {
	case "op":
		if d.AllowRecording {
			extra = []string{PermissionRecord}
		}
	case "present":
		if d.UnrestrictedTokens {
			extra = []string{PermissionToken}
		}
	}
	return NewPermissions(extra...).With(user.Permissions.List()...)
}

// decodeDescription reads a definition and converts it to the present form.
func decodeDescription(file string, data []byte) (*Description, error) {
	var read definition
	if err := config.Decode(file, data, &read); err != nil {
		return nil, err
	}
	d := &read.Description
	d.sum = sha256.Sum256(data)
	if err := read.convert(); err != nil {
		return nil, &DefinitionError{File: file, Err: err}
	}
	d.examine()
	return d, nil
}

// examine notes what is odd in d, and reads its keys.
func (d *Description) examine() {
	for name, user := range d.Users {
		d.examineUser(fmt.Sprintf("user %q", name), user)
	}
	for i, user := range d.FallbackUsers {
		d.examineUser(fmt.Sprintf("fallback user %d", i), user)
	}
	if d.WildcardUser != nil {
		d.examineUser("wildcard user", *d.WildcardUser)
	}
	d.readKeys()
	for _, name := range d.Codecs {
		if _, ok := codecs.Formats(name); !ok {
			d.warn("codec %q is unknown", name)
		}
	}
}

func (d *Description) examineUser(who string, user config.User) {
	if err := user.Password.Validate(); err != nil {
		d.warn("%s: %v", who, err)
	}
	for _, p := range user.Permissions.List() {
		if !meansSomething(p) {
			d.warn("%s: permission %q means nothing", who, p)
		}
	}
}

func (d *Description) warn(format string, args ...any) {
	d.warnings = append(d.warnings, fmt.Sprintf(format, args...))
}

// forSubgroup is d as it applies to a group below it that has no file.
func (d *Description) forSubgroup() *Description {
	sub := *d
	sub.Public = false
	sub.Description = ""
	sub.inferred = true
	sub.warnings = nil
	return &sub
}

// sameAs reports whether d and other say the same.
func (d *Description) sameAs(other *Description) bool {
	return d.sum == other.sum && d.file == other.file && d.inferred == other.inferred
}

// etag is a strong entity tag (RFC 9110 §8.8.3) of the file that d was read
// from.
func (d *Description) etag() string {
	return `"` + hex.EncodeToString(d.sum[:16]) + `"`
}
