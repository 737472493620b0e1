package main

import (
	"maps"
	"slices"
)

// metric names a figure, as in the JSON file.
type metric string

const (
	cpuPerPacket      metric = "cpu_us_per_packet" // of the server, per packet received by a subscriber
	ratioToLimit      metric = "ratio_to_limit"    // of cpuPerPacket
	switchesPerPacket metric = "switches_per_packet"
	packetRate        metric = "packets_per_s"
	delayP50          metric = "delay_p50_ms"
	delayP99          metric = "delay_p99_ms"
	lossShare         metric = "loss_percent" // after retransmission
	recovered         metric = "recovered_packets"
	memoryPerClient   metric = "rss_kb_per_client"
	generatorCPU      metric = "load_cpu_percent" // of a core
	serverCPU         metric = "server_cpu_percent"

	joinedP50     metric = "joined_p50_ms"
	joinedP99     metric = "joined_p99_ms"
	firstMediaP50 metric = "first_media_p50_ms"
	firstMediaP99 metric = "first_media_p99_ms"
	allMedia      metric = "all_media_ms"

	cpuPerDelivery metric = "cpu_us_per_delivery"
	deliveryRate   metric = "deliveries_per_s"
	chatP50        metric = "chat_p50_ms"
	chatP99        metric = "chat_p99_ms"

	goroutinesPerDown metric = "goroutines_per_down"
	memoryPerDown     metric = "rss_kb_per_down"
	inUsePerDown      metric = "in_use_kb_per_down"
)

// sample is what one measurement gave. Figures that make no sense there are
// missing.
type sample map[metric]float64

// series are the samples of one subject in one scenario, by round. Rounds that
// failed are nil.
type series []sample

// median is the median of each figure over the rounds that have it; of the loss
// it is the maximum, which no other round makes good.
func (s series) median() sample {
	values := make(map[metric][]float64)
	for _, one := range s {
		for m, v := range one {
			values[m] = append(values[m], v)
		}
	}
	result := make(sample, len(values))
	for m, v := range maps.All(values) {
		if m == lossShare {
			result[m] = slices.Max(v)
		} else {
			result[m] = median(v)
		}
	}
	return result
}

// median is the middle one of some values, or the mean of the two in the
// middle. It sorts them.
func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// compare sets the ratio to the limit's costs in the same round, so that what
// disturbs both disturbs it less.
func (s series) compare(limit series) {
	for i, one := range s {
		if i >= len(limit) || one == nil || limit[i] == nil {
			continue
		}
		cost, ok := one[cpuPerPacket]
		if least := limit[i][cpuPerPacket]; ok && least > 0 {
			one[ratioToLimit] = cost / least
		}
	}
}
