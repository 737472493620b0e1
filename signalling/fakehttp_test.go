package signalling

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"testing/synctest"

	"galene/codecs"
	"galene/conn"
	"galene/rtpconn"
)

// Gathered returns the last answer.
func (u *fakeUp) Gathered(ctx context.Context) (string, error) {
	u.engine.mu.Lock()
	defer u.engine.mu.Unlock()
	if u.closed {
		return "", errNoMedia
	}
	return fmt.Sprintf("a=ice-ufrag:server%d\r\na=ice-pwd:%s\r\n", u.offers, serverPassword), ctx.Err()
}

// RemoteDescription returns the last offer.
func (u *fakeUp) RemoteDescription() string {
	u.engine.mu.Lock()
	defer u.engine.mu.Unlock()
	return u.remote
}

func (u *fakeUp) Established() bool {
	u.engine.mu.Lock()
	defer u.engine.mu.Unlock()
	return u.established
}

const serverPassword = "0123456789abcdefghijkl"

func (e *fakeEngine) newView(c rtpconn.ViewConfig) (viewConn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	v := &fakeView{fakeUp: fakeUp{engine: e, established: true}, config: c}
	e.views = append(e.views, v)
	return v, nil
}

// fakeView answers offers like a publisher's connection, and notes what is sent.
type fakeView struct {
	fakeUp
	config   rtpconn.ViewConfig
	selected map[int]string
}

// Places are the words "audio" and "video" of the first offer; one of each if it has
// none.
func (v *fakeView) Places() (places []codecs.Kind) {
	v.engine.mu.Lock()
	defer v.engine.mu.Unlock()
	for word := range strings.FieldsSeq(v.remote) {
		switch word {
		case "audio":
			places = append(places, codecs.Audio)
		case "video":
			places = append(places, codecs.Video)
		}
	}
	if places == nil {
		return []codecs.Kind{codecs.Audio, codecs.Video}
	}
	return places
}

// Fits refuses tracks called "other", which have a codec that does not.
func (v *fakeView) Fits(place int, t conn.UpTrack) bool {
	return v.Places()[place] == t.Kind() && !strings.HasPrefix(t.(*fakeTrack).name, "other")
}

// Select notes the tracks.
func (v *fakeView) Select(s []conn.Selection) error {
	v.engine.mu.Lock()
	defer v.engine.mu.Unlock()
	if v.selected == nil {
		v.selected = make(map[int]string)
	}
	for i, one := range s {
		if one.Track != nil {
			v.selected[i] = one.Track.(*fakeTrack).name
		}
	}
	return nil
}

// watching is what the latest view sends, after what has happened; "-" stands for
// a place where nothing was sent.
func (e *fakeEngine) watching() string {
	synctest.Wait()
	e.mu.Lock()
	view := e.views[len(e.views)-1]
	e.mu.Unlock()
	var names []string
	for i := range view.Places() {
		names = append(names, cmp.Or(view.selected[i], "-"))
	}
	return strings.Join(names, " ")
}
