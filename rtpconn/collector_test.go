package rtpconn

import (
	"slices"

	"galene/conn"
	"galene/rtptime"
	"galene/udpsocket"
)

var _ conn.Sink = (*collector)(nil)

// WritePackets implements conn.Sink. A collector without a channel keeps nothing.
func (c *collector) WritePackets(packets []conn.Packet, _ *udpsocket.Batch) {
	if c.packets == nil {
		return
	}
	for _, p := range packets {
		p.Payload = slices.Clone(p.Payload)
		c.packets <- p
	}
}

// ClockChanged implements conn.Sink.
func (c *collector) ClockChanged() { c.clock <- struct{}{} }

// AllowedRate implements conn.Sink.
func (c *collector) AllowedRate(rtptime.Instant) uint64 { return c.rate }
