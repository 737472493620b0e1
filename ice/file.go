package ice

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pion/stun/v4"

	"galene/config"
)

// Bounds of the file: all of it is sent to each client.
const (
	maxServers       = 32
	maxServerURLs    = 16
	maxServerStrings = 4096 // bytes in one URL, user name or credential
)

// unknownTypeError says that an entry is left out.
type unknownTypeError struct {
	index int // from 1
	kind  string
}

func (e *unknownTypeError) Error() string {
	return fmt.Sprintf("server %d is left out: unknown credentialType %q", e.index, e.kind)
}

// fileEntry is an element of the file as it is written.
type fileEntry struct {
	URLs           stringList      `json:"urls"`
	Username       string          `json:"username"`
	Credential     json.RawMessage `json:"credential"`
	CredentialType string          `json:"credentialType"`
}

// stringList is one string or several.
type stringList []string

// UnmarshalJSON reads a string or an array of strings.
func (l *stringList) UnmarshalJSON(data []byte) error {
	if data[0] == '"' {
		var one string
		err := json.Unmarshal(data, &one)
		*l = stringList{one}
		return err
	}
	var list []string
	if err := json.Unmarshal(data, &list); err != nil {
		return errors.New("urls are neither a string nor an array of strings")
	}
	*l = list
	return nil
}

// parse reads the contents of the file at path, which is named in errors.
//
// A mistake anywhere is an error, because a browser that is given one bad URL
// makes no connection at all. Entries with an unknown type of credential are
// for somebody else: they are left out, and returned as skipped. Unknown fields
// are ignored.
func parse(path string, data []byte) (entries []*entry, skipped []error, err error) {
	var elements []json.RawMessage
	if err := json.Unmarshal(data, &elements); err != nil {
		return nil, nil, &config.FileError{File: path, Line: errorLine(data, err), Err: err}
	}
	if len(elements) > maxServers {
		err := fmt.Errorf("%d servers, more than %d", len(elements), maxServers)
		return nil, nil, &config.FileError{File: path, Err: err}
	}
	for i, element := range elements {
		e, err := parseEntry(element)
		if unknown, ok := errors.AsType[*unknownTypeError](err); ok {
			unknown.index = i + 1
			skipped = append(skipped, &config.FileError{File: path, Err: unknown})
			continue
		}
		if err != nil {
			return nil, nil, &config.FileError{File: path, Err: fmt.Errorf("server %d: %w", i+1, err)}
		}
		entries = append(entries, e)
	}
	return entries, skipped, nil
}

func parseEntry(data []byte) (*entry, error) {
	if data[0] != '{' {
		return nil, errors.New("not a JSON object")
	}
	var f fileEntry
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, err
	}
	if bytes.Equal(f.Credential, []byte("null")) {
		f.Credential = nil
	}
	e := &entry{urls: f.URLs, username: f.Username, credential: f.Credential, kind: f.CredentialType}
	if e.kind == "" && (f.Credential != nil || f.Username != "") {
		e.kind = typePassword
	}
	switch e.kind {
	case "", typePassword, typeOAuth:
	case typeHMAC:
		if err := json.Unmarshal(f.Credential, &e.secret); err != nil || e.secret == "" {
			return nil, fmt.Errorf("a credential of type %q is a secret that is not empty", typeHMAC)
		}
	default:
		return nil, &unknownTypeError{kind: e.kind}
	}
	return e, e.validate()
}

// validate reports what a browser would not accept.
func (e *entry) validate() error {
	if len(e.urls) == 0 || len(e.urls) > maxServerURLs {
		return fmt.Errorf("%d urls, not from 1 to %d", len(e.urls), maxServerURLs)
	}
	if len(e.username) > maxServerStrings || len(e.credential) > maxServerStrings {
		return fmt.Errorf("user name or credential longer than %d bytes", maxServerStrings)
	}
	for _, url := range e.urls {
		if len(url) > maxServerStrings {
			return fmt.Errorf("URL longer than %d bytes", maxServerStrings)
		}
		uri, err := stun.ParseURI(url)
		if err != nil {
			return fmt.Errorf("URL %q: %w", url, err)
		}
		turn := uri.Scheme == stun.SchemeTypeTURN || uri.Scheme == stun.SchemeTypeTURNS
		if turn && e.kind != typeHMAC && (e.username == "" || e.credential == nil) {
			return fmt.Errorf("URL %q needs a username and a credential", url)
		}
	}
	return nil
}

// errorLine is the line of data, from 1, that err is about.
func errorLine(data []byte, err error) int {
	offset := len(data)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = int(syntax.Offset)
	} else if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		offset = int(mismatch.Offset)
	}
	return 1 + bytes.Count(data[:min(max(offset, 0), len(data))], []byte{'\n'})
}
