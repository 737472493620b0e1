package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"galene/rtpconn"
)

// exporter makes metrics of one snapshot per scrape. It implements
// prometheus.Collector.
type exporter struct {
	// Immutable.
	collector *Collector
	families  []family
	descs     []*prometheus.Desc // of the families
	joins     *prometheus.Desc
}

func newExporter(c *Collector) *exporter {
	e := &exporter{collector: c, families: families()}
	for _, f := range e.families {
		e.descs = append(e.descs, prometheus.NewDesc(f.name, f.help, f.labels, nil))
	}
	e.joins = prometheus.NewDesc("galene_join_duration_seconds",
		"Time from the beginning of a connection to a subscriber until media is sent on it.", nil, nil)
	return e
}

// Describe implements prometheus.Collector.
func (e *exporter) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range e.descs {
		descs <- d
	}
	descs <- e.joins
}

// Collect implements prometheus.Collector.
func (e *exporter) Collect(metrics chan<- prometheus.Metric) {
	s := e.collector.snapshot()
	for i, f := range e.families {
		f.collect(s, func(value float64, labels ...string) {
			metrics <- constant(e.descs[i], f.kind, value, labels)
		})
	}
	metrics <- histogram(e.joins, s.engine.Joins)
}

// constant returns a metric that has one value, or that tells what is wrong.
func constant(desc *prometheus.Desc, kind prometheus.ValueType, value float64, labels []string) prometheus.Metric {
	m, err := prometheus.NewConstMetric(desc, kind, value, labels...)
	if err != nil {
		return prometheus.NewInvalidMetric(desc, err)
	}
	return m
}

// histogram returns a histogram in seconds.
func histogram(desc *prometheus.Desc, h rtpconn.Histogram) prometheus.Metric {
	buckets := make(map[float64]uint64, len(h.Buckets))
	for _, b := range h.Buckets {
		buckets[b.Limit.Seconds()] = b.Count
	}
	m, err := prometheus.NewConstHistogram(desc, h.Count, h.Sum.Seconds(), buckets)
	if err != nil {
		return prometheus.NewInvalidMetric(desc, err)
	}
	return m
}
