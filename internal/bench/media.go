package main

import "time"

// What each publisher sends: video in frames of equal packets, and Opus audio
// every 20 ms (RFC 7587 §4.2).
const (
	videoBitrate    = 1_500_000 // bit/s
	frameRate       = 30        // per second
	packetsPerFrame = 6

	audioInterval = 20 * time.Millisecond
	audioPayload  = 80 // octets: 32 kbit/s
)

// A paced publisher spreads each frame at pacingFactor times the bitrate, in
// steps of pacingStep, as browsers do.
const (
	pacingFactor = 2.5
	pacingStep   = 5 * time.Millisecond
)

const (
	frameInterval = time.Second / frameRate
	videoPayload  = videoBitrate / 8 / frameRate / packetsPerFrame // octets per packet
)

// burst is what a publisher sends at once.
type burst struct {
	after   time.Duration // since the frame's beginning
	packets int
}

// frameBursts tells how a frame is sent: at once, or in the steps of a pacer,
// which each time sends packets until it has reached its rate.
func frameBursts(paced bool) []burst {
	if !paced {
		return []burst{{packets: packetsPerFrame}}
	}
	perStep := pacingFactor * videoBitrate / 8 * pacingStep.Seconds()
	var bursts []burst
	sent := 0
	for step := 0; sent < packetsPerFrame; step++ {
		b := burst{after: time.Duration(step) * pacingStep}
		for sent < packetsPerFrame && float64(sent*videoPayload) < perStep*float64(step+1) {
			b.packets++
			sent++
		}
		if b.packets > 0 {
			bursts = append(bursts, b)
		}
	}
	return bursts
}
