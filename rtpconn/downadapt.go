package rtpconn

import (
	"cmp"
	"slices"
	"time"

	"galene/codecs"
	"galene/conn"
	"galene/layers"
	"galene/rtptime"
)

// layerKeyframeSpacing is the least time between two keyframes that a down track wants for a
// change of layers. The up track spaces those of all.
const layerKeyframeSpacing = time.Second

// ladder is what a down track may send, and what of it is chosen. The track's lock
// guards it.
type ladder struct {
	selection conn.Selection
	// encodings are those of the selected section, best first.
	encodings []conn.UpTrack
	chooser   layers.Chooser
	rungs     []rung       // reused
	top       layers.Layer // the highest layers that there are of the encoding that is sent

	raised rtptime.Instant // when more was last chosen than before; 0 if never

	lacking bool            // a keyframe is wanted
	asked   rtptime.Instant // when one was wanted last
}

// rung is an encoding with its layers up to some.
type rung struct {
	layers.Rung
	track conn.UpTrack
	layer layers.Layer
}

// metered is an up track that measures its layers.
type metered interface {
	// layerRates returns the rates of all layers, in bits per second, and the highest
	// ones that there are.
	layerRates(now rtptime.Instant) (rates [codecs.Layers]uint64, highest layers.Layer)
}

// encodingsOf returns the encodings of a track's section, in the order of the stream.
func encodingsOf(up conn.Up, t conn.UpTrack) []conn.UpTrack {
	if up == nil || t.RID() == "" {
		return []conn.UpTrack{t}
	}
	encodings := slices.DeleteFunc(slices.Clone(up.Tracks()), func(other conn.UpTrack) bool {
		return other.Kind() != t.Kind() || other.RID() == "" || other.StreamID() != t.StreamID() ||
			other.TrackID() != t.TrackID() || !sameCodec(downFormat(other), downFormat(t))
	})
	if !slices.Contains(encodings, t) {
		return []conn.UpTrack{t}
	}
	return encodings
}

// choose makes s the most that is sent. It reports whether that is news. The caller
// holds the lock, unless the track is new.
func (d *downTrack) choose(s conn.Selection) bool {
	encodings := encodingsOf(cmp.Or(s.Up, d.down.up), s.Track)
	if l := &d.ladder; l.selection == s && slices.Equal(l.encodings, encodings) {
		return false
	}
	d.ladder = ladder{selection: s, encodings: encodings, rungs: d.ladder.rungs[:0]}
	if d.selector != nil {
		d.selector.Target.Set(d.ladder.highest())
	}
	return true
}

// highest is the highest layer that is wanted of an encoding.
func (l *ladder) highest() layers.Layer {
	if l.selection.LowestLayer {
		return layers.Layer{Spatial: 0, Temporal: layers.Highest.Temporal}
	}
	return layers.Highest
}

// choice implements chooser.
func (f *feed) choice(now rtptime.Instant) (taken, best conn.UpTrack, limit uint64) {
	d := f.down
	d.mu.Lock()
	defer d.mu.Unlock()
	taken, best = d.current.track, d.ladder.selection.Track
	if d.target != nil {
		taken = d.target.track
	}
	sending, _ := d.rate.Rate(now)
	return taken, best, d.allow.Limit(now, sending, d.ladder.raised)
}

// adapt chooses anew what is sent, by what the subscriber can take. It returns feeds
// that the caller removes from their tracks.
func (d *downTrack) adapt(now rtptime.Instant) (gone []*feed) {
	d.mu.Lock()
	if d.selector == nil || d.closed || d.state == idle {
		d.mu.Unlock()
		return nil
	}
	add, gone := d.adaptLocked(now)
	var ask conn.UpTrack
	if d.ladder.lacking {
		d.ladder.lacking, ask = false, d.current.track
	}
	d.mu.Unlock()
	begin(add)
	if ask != nil {
		ask.RequestKeyframe()
	}
	return gone
}

func (d *downTrack) adaptLocked(now rtptime.Instant) (add *feed, gone []*feed) {
	l := &d.ladder
	l.measure(d.current.track, now)
	aimed := d.current
	if d.target != nil {
		aimed = d.target
	}
	present := l.find(aimed.track, d.selector.Target.Get())
	if present < 0 {
		return nil, nil
	}
	var buffer [maxRungs]layers.Rung
	steps := buffer[:0]
	for _, r := range l.rungs {
		steps = append(steps, r.Rung)
	}
	sending, _ := d.rate.Rate(now)
	chosen := l.chooser.Choose(steps, present, d.allow.Limit(now, sending, l.raised), now)
	if chosen > present {
		l.raised = now
	}
	next := l.rungs[chosen]
	d.selector.Target.Set(next.layer)
	d.noteLayers()
	if next.track == aimed.track {
		return nil, nil
	}
	return d.aim(next.track)
}

// noteLayers tells the statistics which layers are sent, if that has changed. The caller
// holds the lock.
func (d *downTrack) noteLayers() {
	top := d.ladder.top
	sending, target := d.selector.Sending(), d.selector.Target.Get()
	next := LayerStats{
		Spatial: min(sending.Spatial, top.Spatial), Temporal: min(sending.Temporal, top.Temporal),
		MaxSpatial: top.Spatial, MaxTemporal: top.Temporal,
		TargetSpatial: min(target.Spatial, top.Spatial), TargetTemporal: min(target.Temporal, top.Temporal),
	}
	var before LayerStats
	if l := d.counters.layers.Load(); l != nil {
		before = *l
	}
	if next != before {
		news := next // not to allocate without news
		d.counters.layers.Store(&news)
	}
}

// maxRungs is how many rungs fit without allocating.
const maxRungs = 16

// measure makes up the rungs, from the lowest to the highest one, while sent is being sent. An
// encoding above the selected one counts only if there is no other, and then as far as its
// lowest layer.
func (l *ladder) measure(sent conn.UpTrack, now rtptime.Instant) {
	l.rungs, l.top = l.rungs[:0], layers.Layer{}
	selected := max(slices.Index(l.encodings, l.selection.Track), 0)
	any := false
	for i, t := range slices.Backward(l.encodings) {
		first := len(l.rungs)
		top := l.measureTrack(t, i == len(l.encodings)-1, i < selected, now)
		if t == sent {
			l.top = top
		}
		for j := range l.rungs[first:] {
			r := &l.rungs[first+j]
			r.Live = r.Live && (i >= selected || !any)
			any = any || r.Live && i >= selected
		}
	}
}

// measureTrack appends the rungs of an encoding, or of its lowest spatial layer, and returns the highest
// layers that it has. Temporal layers are left out of the lowest encoding only: of the
// others, the one below is better.
func (l *ladder) measureTrack(t conn.UpTrack, lowest, lowestLayer bool, now rtptime.Instant) layers.Layer {
	highest := l.highest()
	if lowestLayer {
		highest.Spatial = 0
	}
	m, ok := t.(metered)
	if !ok {
		l.rungs = append(l.rungs, rung{layers.Rung{Live: true}, t, highest})
		return layers.Layer{}
	}
	rates, has := m.layerRates(now)
	top := layers.Layer{Spatial: min(has.Spatial, highest.Spatial), Temporal: has.Temporal}
	for spatial := range top.Spatial + 1 {
		for temporal := range top.Temporal + 1 {
			last := temporal == top.Temporal
			if !last && (spatial > 0 || !lowest) {
				continue
			}
			layer := layers.Layer{Spatial: spatial, Temporal: temporal}
			rate := sumUpTo(&rates, layer)
			if last {
				layer.Temporal = layers.Highest.Temporal
				if spatial == top.Spatial {
					layer = highest
				}
			}
			l.rungs = append(l.rungs, rung{layers.Rung{Rate: rate, Live: rate > 0}, t, layer})
		}
	}
	return has
}

// sumUpTo returns the rate of a layer with those below.
func sumUpTo(rates *[codecs.Layers]uint64, l layers.Layer) (sum uint64) {
	for spatial := range l.Spatial + 1 {
		for temporal := range l.Temporal + 1 {
			sum += rates[codecs.LayerIndex(spatial, temporal)]
		}
	}
	return sum
}

// find returns the index of the highest rung of a track that is not above a layer, else of any
// of that track; -1 if there is none.
func (l *ladder) find(track conn.UpTrack, layer layers.Layer) int {
	found := -1
	for i, r := range l.rungs {
		if r.track == track && (found < 0 || r.layer.Spatial <= layer.Spatial && r.layer.Temporal <= layer.Temporal) {
			found = i
		}
	}
	return found
}

// lackKeyframe takes note that a change of layers waits for a keyframe. The caller holds
// the lock.
func (d *downTrack) lackKeyframe(now rtptime.Instant) {
	if l := &d.ladder; l.asked == 0 || now.Sub(l.asked) >= layerKeyframeSpacing {
		l.asked, l.lacking = now, true
		d.down.poke()
	}
}
