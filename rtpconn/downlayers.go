package rtpconn

import (
	"galene/layers"
	"galene/rtptime"
)

// noteLayers keeps the statistics of what is sent of the present source's layers up
// to date. The caller holds the lock.
func (d *downTrack) noteLayers(now rtptime.Instant) {
	m, ok := d.current.track.(metered)
	if !ok {
		return
	}
	_, top := m.layerRates(now)
	sending, target := below(d.selector.Sending(), top), below(d.selector.Target.Get(), top)
	s := LayerStats{
		Spatial: sending.Spatial, Temporal: sending.Temporal,
		MaxSpatial: top.Spatial, MaxTemporal: top.Temporal,
		TargetSpatial: target.Spatial, TargetTemporal: target.Temporal,
	}
	if before := d.counters.layers.Load(); before == nil || *before != s {
		d.counters.layers.Store(&s)
	}
}

// below returns a layer that is limited by those that there are.
func below(l, top layers.Layer) layers.Layer {
	return layers.Layer{
		Spatial:  min(l.Spatial, top.Spatial),
		Temporal: min(l.Temporal, top.Temporal),
	}
}
