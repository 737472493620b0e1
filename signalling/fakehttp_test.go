package signalling

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing/synctest"

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

func (e *fakeEngine) newView(c rtpconn.DownConfig) (viewConn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	v := &fakeView{fakeUp: fakeUp{engine: e, established: true}, config: c}
	e.views = append(e.views, v)
	return v, nil
}

// fakeView answers offers like a publisher's connection, and notes what is sent.
type fakeView struct {
	fakeUp
	config   rtpconn.DownConfig
	selected []string
}

// Select notes the tracks. One called "other" has another codec than those before.
func (v *fakeView) Select(s []conn.Selection) error {
	v.engine.mu.Lock()
	defer v.engine.mu.Unlock()
	var names []string
	for _, one := range s {
		names = append(names, one.Track.(*fakeTrack).name)
	}
	if v.offers > 0 && slices.Contains(names, "other") {
		return rtpconn.ErrCodecChanged
	}
	v.selected = names
	return nil
}

// watching is what the latest view sends, after what has happened.
func (e *fakeEngine) watching() string {
	synctest.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.views[len(e.views)-1].selected, " ")
}
