package rtpconn

import (
	"slices"

	"galene/conn"
	"galene/rtptime"
)

var _ conn.Sink = (*collector)(nil)

// WritePacket implements conn.Sink. A collector without a channel keeps nothing.
func (c *collector) WritePacket(p *conn.Packet) {
	if c.packets == nil {
		return
	}
	keep := *p
	keep.Payload = slices.Clone(p.Payload)
	c.packets <- keep
}

// EndBurst implements conn.Sink.
func (c *collector) EndBurst() {}

// ClockChanged implements conn.Sink.
func (c *collector) ClockChanged() { c.clock <- struct{}{} }

// AllowedRate implements conn.Sink.
func (c *collector) AllowedRate(rtptime.Instant) uint64 { return c.rate }
