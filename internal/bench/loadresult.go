package main

import (
	"fmt"
	"strings"
)

// loadResult is what the load test prints.
type loadResult struct {
	Seconds float64 `json:"seconds"`
	Clients int     `json:"clients"`
	Packets struct {
		Expected  uint64 `json:"expected"`
		Received  uint64 `json:"received"`
		Lost      uint64 `json:"lost"`
		Recovered uint64 `json:"recovered"`
		Corrupt   uint64 `json:"corrupt"`
	} `json:"packets"`
	Delay struct {
		P50     float64 `json:"p50"`
		P99     float64 `json:"p99"`
		Samples uint64  `json:"samples"`
	} `json:"delay_ms"`
	Join struct {
		Joined     percentiles `json:"joined"`
		FirstMedia percentiles `json:"first_media"`
		AllMedia   float64     `json:"all_media"`
	} `json:"join_ms"`
	Chat struct {
		Deliveries uint64  `json:"deliveries"`
		P50        float64 `json:"p50_ms"`
		P99        float64 `json:"p99_ms"`
	} `json:"chat"`
	Failures   []string `json:"failures"`
	CPUSeconds float64  `json:"cpu_seconds"` // of the load test itself, while it measured
}

type percentiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// maxFailures is how many of the load test's complaints are shown.
const maxFailures = 5

// check returns an error if the figures of r cannot be compared with others.
func (r *loadResult) check() error {
	switch {
	case len(r.Failures) > 0:
		return fmt.Errorf("the load test complains: %s", strings.Join(r.Failures[:min(len(r.Failures), maxFailures)], "; "))
	case r.Packets.Corrupt > 0:
		return fmt.Errorf("%d packets came corrupt", r.Packets.Corrupt)
	case r.Seconds <= 0 || r.Clients <= 0:
		return fmt.Errorf("the load test measured %v s with %d clients", r.Seconds, r.Clients)
	}
	return nil
}

// measurement is what has been read while a load test measured.
type measurement struct {
	load          loadResult
	server        usage  // of the measured span
	before, after uint64 // kilobytes that the server used before clients came, and at the end
}

// sample returns the figures of a measurement.
func (m *measurement) sample() sample {
	micros := float64(m.server.cpu.Nanoseconds()) / 1000
	l := &m.load
	s := sample{
		serverCPU:       100 * m.server.cpu.Seconds() / l.Seconds,
		generatorCPU:    100 * l.CPUSeconds / l.Seconds,
		memoryPerClient: (float64(m.after) - float64(m.before)) / float64(l.Clients),
		joinedP50:       l.Join.Joined.P50,
		joinedP99:       l.Join.Joined.P99,
	}
	if received := float64(l.Packets.Received); received > 0 {
		s[cpuPerPacket] = micros / received
		s[switchesPerPacket] = float64(m.server.switches) / received
		s[packetRate] = received / l.Seconds
		s[recovered] = float64(l.Packets.Recovered)
		s[firstMediaP50] = l.Join.FirstMedia.P50
		s[firstMediaP99] = l.Join.FirstMedia.P99
		s[allMedia] = l.Join.AllMedia
	}
	if l.Packets.Expected > 0 {
		s[lossShare] = 100 * float64(l.Packets.Lost) / float64(l.Packets.Expected)
	}
	if l.Delay.Samples > 0 {
		s[delayP50] = l.Delay.P50
		s[delayP99] = l.Delay.P99
	}
	if deliveries := float64(l.Chat.Deliveries); deliveries > 0 {
		s[cpuPerDelivery] = micros / deliveries
		s[deliveryRate] = deliveries / l.Seconds
		s[chatP50] = l.Chat.P50
		s[chatP99] = l.Chat.P99
	}
	return s
}
