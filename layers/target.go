package layers

import "sync/atomic"

// Layer is a spatial and a temporal layer, with all those below.
type Layer struct{ Spatial, Temporal uint8 }

// Highest is above every layer that there can be.
var Highest = Layer{7, 7} //nolint:gochecknoglobals // constant

// Target is how many layers are wanted. The zero value wants all of them. It may
// be used from any goroutine.
type Target struct {
	word atomic.Uint32 // 0, or targetSet with the layers
}

// targetSet tells a target that was set from one that was not.
const targetSet = 1 << 16

// Set makes l, and what is below, all that is wanted.
func (t *Target) Set(l Layer) {
	t.word.Store(targetSet | uint32(l.Spatial)<<8 | uint32(l.Temporal))
}

// Get returns what was set last, or [Highest].
func (t *Target) Get() Layer {
	word := t.word.Load()
	if word == 0 {
		return Highest
	}
	return Layer{uint8(word >> 8), uint8(word)}
}

// min returns what is below both.
func (l Layer) min(other Layer) Layer {
	return Layer{min(l.Spatial, other.Spatial), min(l.Temporal, other.Temporal)}
}
