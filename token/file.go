package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Bounds of the file.
const (
	maxFileBytes  = 64 << 20
	maxEntryBytes = 64 << 10 // of one value that does not stand on a line of its own
	maxPatience   = 64       // problems after which values no longer go beyond their line
)

// entry is one token of the file, with the text it was read from: an entry that
// does not change keeps what only other programs understand.
type entry struct {
	token *Token // immutable
	line  []byte // without its end
}

// problem is a piece of the file that is no token.
type problem struct {
	line int    // number, from 1
	text []byte // the piece; it may hold secrets
	err  error  // does not tell what the text is
}

// parse reads the file's contents: JSON values, usually one a line. What is no
// token is a problem, and reading goes on at the next line.
func parse(data []byte) (entries []entry, problems []problem) {
	p := parser{data: data, line: 1}
	for p.position < len(p.data) {
		p.next()
	}
	return p.entries, p.problems
}

// parser stands at the beginning of a line, or behind a value.
type parser struct {
	data     []byte
	position int // where it stands
	line     int // number of the line that holds position
	entries  []entry
	problems []problem
}

// next reads one line, and what follows it if its last value goes on there.
func (p *parser) next() {
	end := p.lineEnd()
	text := bytes.TrimSpace(p.data[p.position:end])
	if len(text) == 0 {
		p.advance(end)
		return
	}
	if t, err := decode(text); err == nil {
		p.entries = append(p.entries, entry{t, bytes.Clone(text)})
		p.advance(end)
		return
	}
	p.values(end)
}

// values reads JSON values from where the parser stands until the line that
// ends at end has been read.
func (p *parser) values(end int) {
	window := p.data[p.position:end]
	if len(p.problems) < maxPatience {
		window = p.data[p.position:min(len(p.data), max(end, p.position+maxEntryBytes))]
	}
	start := p.position
	decoder := json.NewDecoder(bytes.NewReader(window))
	for p.position < end {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			if rest := bytes.TrimSpace(p.data[p.position:end]); len(rest) > 0 {
				p.report(rest, errors.New("not JSON"))
			}
			p.advance(end)
			return
		}
		p.advance(start + int(decoder.InputOffset()) - len(raw)) // to its first line
		if t, err := decode(raw); err != nil {
			p.report(raw, err)
		} else {
			var line bytes.Buffer
			_ = json.Compact(&line, raw) // it is valid JSON
			p.entries = append(p.entries, entry{t, line.Bytes()})
		}
		p.advance(start + int(decoder.InputOffset()))
	}
}

// lineEnd is where the present line ends, its terminator included.
func (p *parser) lineEnd() int {
	i := bytes.IndexByte(p.data[p.position:], '\n')
	if i < 0 {
		return len(p.data)
	}
	return p.position + i + 1
}

func (p *parser) advance(position int) {
	p.line += bytes.Count(p.data[p.position:position], []byte{'\n'})
	p.position = position
}

func (p *parser) report(text []byte, err error) {
	p.problems = append(p.problems, problem{p.line, bytes.Clone(text), err})
}

// decode reads one token. Its errors do not repeat what they complain about.
func decode(text []byte) (*Token, error) {
	var t Token
	err := json.Unmarshal(text, &t)
	if bad, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if bad.Field == "" {
			return nil, errors.New("not a JSON object")
		}
		return nil, fmt.Errorf("field %q is of the wrong type", bad.Field)
	}
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		return nil, errors.New("not JSON")
	}
	if err != nil { // times decode themselves
		return nil, errors.New("a time is not as in RFC 3339")
	}
	if t.Token == "" {
		return nil, errors.New("no token")
	}
	return &t, nil
}

// expired reports whether t has been of no use for longer than keep. A token
// without expiry is of no use from the beginning, as far as that is known.
func expired(t *Token, now time.Time, keep time.Duration) bool {
	end := t.Expires
	if end == nil {
		end = t.IssuedAt
	}
	return end == nil || now.Sub(*end) > keep
}
