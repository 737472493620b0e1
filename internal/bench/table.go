package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// table is printed as Markdown that people can read as it is.
type table struct {
	header []string
	rows   [][]string
}

// write prints t: the first column to the left, the others to the right.
func (t *table) write(w io.Writer) error {
	widths := make([]int, len(t.header))
	lines := append([][]string{t.header}, t.rows...)
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), 3)
		}
	}
	var b strings.Builder
	for n, line := range lines {
		for i, cell := range line {
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				b.WriteString("| " + cell + padding + " |")
			} else {
				b.WriteString(" " + padding + cell + " |")
			}
		}
		b.WriteByte('\n')
		if n > 0 {
			continue
		}
		for i, width := range widths {
			if i == 0 {
				b.WriteString("|" + strings.Repeat("-", width+2) + "|")
			} else {
				b.WriteString(strings.Repeat("-", width+1) + ":|")
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// column is a figure of a table.
type column struct {
	title  string
	metric metric
}

// section is a table of the scenarios of one kind.
type section struct {
	title   string
	kind    kind
	columns []column
}

func sections() []section {
	return []section{
		{"Media", kindMedia, []column{
			{"us/packet", cpuPerPacket},
			{"of limit", ratioToLimit},
			{"p50 ms", delayP50},
			{"p99 ms", delayP99},
			{"loss %", lossShare},
			{"kB/client", memoryPerClient},
			{"switches/packet", switchesPerPacket},
			{"packets/s", packetRate},
			{"load CPU %", generatorCPU},
		}},
		{"Join storm", kindStorm, []column{
			{"all media ms", allMedia},
			{"first media p50", firstMediaP50},
			{"p99", firstMediaP99},
			{"joined p50", joinedP50},
			{"p99", joinedP99},
			{"kB/client", memoryPerClient},
		}},
		{"Idle members", kindIdle, []column{
			{"kB/client", memoryPerClient},
			{"CPU %", serverCPU},
			{"joined p50 ms", joinedP50},
			{"p99", joinedP99},
		}},
		{"Chat", kindChat, []column{
			{"us/delivery", cpuPerDelivery},
			{"p50 ms", chatP50},
			{"p99 ms", chatP99},
			{"deliveries/s", deliveryRate},
			{"load CPU %", generatorCPU},
		}},
		{"Idle down connections", kindProbe, []column{
			{"goroutines", goroutinesPerDown},
			{"kB RSS", memoryPerDown},
			{"kB in use", inUsePerDown},
		}},
	}
}

// table shows the medians of the section's scenarios, for the limit and all
// subjects. It has no rows if nothing was measured.
func (s *section) table(scenarios []scenario, subjects []string, r *results) table {
	t := table{header: []string{"scenario", "server"}}
	for _, c := range s.columns {
		t.header = append(t.header, c.title)
	}
	for _, scenario := range scenarios {
		if scenario.kind != s.kind {
			continue
		}
		for _, subject := range append([]string{limitSubject}, subjects...) {
			median := r.median(scenario.name, subject)
			if median == nil {
				continue
			}
			row := []string{scenario.name, subject}
			for _, c := range s.columns {
				row = append(row, cell(median, c.metric))
			}
			t.rows = append(t.rows, row)
		}
	}
	return t
}

// cell shows one figure, or a dash for what was not measured.
func cell(s sample, m metric) string {
	value, ok := s[m]
	if !ok {
		return "–"
	}
	return format(value)
}

// format shows three significant digits, or all of those before the point. What
// is not nothing does not look like it.
func format(value float64) string {
	magnitude := math.Abs(value)
	if value == 0 || magnitude >= 100 {
		return strconv.FormatFloat(value, 'f', 0, 64)
	}
	digits := max(0, 2-int(math.Floor(math.Log10(magnitude))))
	return fmt.Sprintf("%.*f", min(digits, 5), value)
}
