package signalling

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"galene/codecs"
	"galene/conn"
	"galene/rtpconn"
)

// fakeEngine makes connections without a network. Their descriptions are words:
// a publisher offers "audio video", and a subscriber is offered what it gets.
type fakeEngine struct {
	mu    sync.Mutex // guards the fields below and those of all connections
	ups   []*fakeUp
	downs []*fakeDown
	views []*fakeView
}

func (e *fakeEngine) newUp(c rtpconn.UpConfig) (upConn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	u := &fakeUp{engine: e, config: c}
	e.ups = append(e.ups, u)
	return u, nil
}

func (e *fakeEngine) newDown(c rtpconn.DownConfig) (downConn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	d := &fakeDown{engine: e, config: c}
	e.downs = append(e.downs, d)
	return d, nil
}

// open counts the connections that have not been closed.
func (e *fakeEngine) open() (ups, downs int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, u := range e.ups {
		if !u.closed {
			ups++
		}
	}
	for _, d := range e.downs {
		if !d.closed {
			downs++
		}
	}
	for _, v := range e.views {
		if !v.closed {
			downs++
		}
	}
	return ups, downs
}

type fakeUp struct {
	engine     *fakeEngine
	config     rtpconn.UpConfig
	offers     int
	tracks     []conn.UpTrack
	candidates []rtpconn.Candidate
	closed     bool

	remote      string // the last offer
	established bool
}

func (u *fakeUp) ID() string    { return u.config.ID }
func (u *fakeUp) Label() string { return u.config.Label }

func (u *fakeUp) Tracks() []conn.UpTrack {
	u.engine.mu.Lock()
	defer u.engine.mu.Unlock()
	return u.tracks
}

func (u *fakeUp) Offer(sdp string) (string, error) {
	u.engine.mu.Lock()
	defer u.engine.mu.Unlock()
	var tracks []conn.UpTrack
	for word := range strings.FieldsSeq(sdp) {
		kind := codecs.Video
		switch {
		case word == "panic":
			panic("asked for by a test")
		case word == "broken":
			return "", errors.New("secret")
		case word == "bad":
			return "", &rtpconn.NegotiationError{Text: "bad description"}
		case strings.HasPrefix(word, "audio"):
			kind = codecs.Audio
		}
		tracks = append(tracks, &fakeTrack{name: word, kind: kind})
	}
	u.tracks = tracks
	u.offers++
	u.remote = sdp
	if u.offers == 1 {
		return "answer to " + sdp, nil
	}
	return fmt.Sprintf("answer %d to %v", u.offers, sdp), nil
}

func (u *fakeUp) AddCandidate(c rtpconn.Candidate) error {
	u.engine.mu.Lock()
	defer u.engine.mu.Unlock()
	u.candidates = append(u.candidates, c)
	return nil
}

func (u *fakeUp) Close() {
	u.engine.mu.Lock()
	defer u.engine.mu.Unlock()
	u.closed = true
}

// fakeTrack is a track that carries nothing.
type fakeTrack struct {
	conn.UpTrack
	name string
	kind codecs.Kind
}

func (t *fakeTrack) Kind() codecs.Kind { return t.kind }

// Format has a codec called like the track.
func (t *fakeTrack) Format() codecs.Format {
	return codecs.Format{Name: t.name, Kind: t.kind, MimeType: t.kind.String() + "/" + t.name}
}

type fakeDown struct {
	engine     *fakeEngine
	config     rtpconn.DownConfig
	selected   []string
	unanswered bool
	waiting    bool
	candidates []rtpconn.Candidate
	closed     bool
	failSelect error // of the next Select
	failOffer  error // of the next Offer
}

func (d *fakeDown) Select(s []conn.Selection) (changed bool, err error) {
	d.engine.mu.Lock()
	defer d.engine.mu.Unlock()
	if err := d.failSelect; err != nil {
		d.failSelect = nil
		return false, err
	}
	var names []string
	for _, one := range s {
		name := one.Track.(*fakeTrack).name
		if one.LowestLayer {
			name += "/low"
		}
		if name == "refuse" {
			return false, errors.New("cannot be sent")
		}
		names = append(names, name)
	}
	changed = !slices.Equal(names, d.selected)
	d.selected = names
	return changed, nil
}

func (d *fakeDown) Offer(restart bool) (string, bool, error) {
	d.engine.mu.Lock()
	defer d.engine.mu.Unlock()
	if err := d.failOffer; err != nil {
		d.failOffer = nil
		return "", false, err
	}
	if d.unanswered {
		d.waiting = true
		return "", false, nil
	}
	d.unanswered = true
	sdp := strings.Join(d.selected, " ")
	if restart {
		sdp += " restart"
	}
	return sdp, true, nil
}

func (d *fakeDown) Answer(sdp string) (again bool, err error) {
	d.engine.mu.Lock()
	defer d.engine.mu.Unlock()
	switch sdp {
	case "bad":
		return false, &rtpconn.NegotiationError{Text: "bad answer"}
	case "no audio":
		return false, &rtpconn.NegotiationError{Text: "deaf", Err: &rtpconn.UnsupportedError{Kind: codecs.Audio}}
	case "no video":
		return false, &rtpconn.NegotiationError{Text: "blind", Err: &rtpconn.UnsupportedError{Kind: codecs.Video}}
	}
	again, d.waiting, d.unanswered = d.waiting, false, false
	return again, nil
}

func (d *fakeDown) AddCandidate(c rtpconn.Candidate) error {
	d.engine.mu.Lock()
	defer d.engine.mu.Unlock()
	d.candidates = append(d.candidates, c)
	return nil
}

func (d *fakeDown) Close() {
	d.engine.mu.Lock()
	defer d.engine.mu.Unlock()
	d.closed = true
}
