package main

import "fmt"

// promise is what our server is to reach in some scenarios.
type promise struct {
	text      string // what is promised, to people
	metric    metric
	limit     float64 // the figure is not to be greater
	scenarios []string
}

func promises() []promise {
	prompt := []string{"lecture", "lecture-paced", "meeting", "meeting-paced", "rooms", "rooms-paced"}
	return []promise{
		{"CPU, of the limit", ratioToLimit, 1.75, []string{"lecture", "meeting"}},
		{"CPU, of the meeting's limit", ratioToLimit, 2.0, []string{"rooms"}},
		{"CPU, of the paced limit", ratioToLimit, 2.0, []string{"lecture-paced", "meeting-paced", "rooms-paced"}},
		{"loss after retransmission, %", lossShare, 0, append(prompt, "lossy", "lossy-paced")},
		{"delay, p99, ms", delayP99, 5, prompt},
		{"goroutines per idle down connection", goroutinesPerDown, 12, []string{"idle-down"}},
		{"kB per idle down connection", memoryPerDown, 150, []string{"idle-down"}},
		{"ms until all have media", allMedia, 600, []string{"storm"}},
		{"kB per idle client", memoryPerClient, 40, []string{"idle"}},
		{"CPU per chat delivery, us", cpuPerDelivery, 8, []string{"chat"}},
	}
}

// verdict is what has become of a promise in one scenario.
type verdict struct {
	Scenario string   `json:"scenario"`
	Promise  string   `json:"promise"`
	Limit    float64  `json:"at_most"`
	Figure   *float64 `json:"figure"` // nil if it was not measured
	Met      bool     `json:"met"`
}

// judge compares the promises with the medians of our server.
func judge(promises []promise, median func(scenario, subject string) sample) []verdict {
	var verdicts []verdict
	for _, p := range promises {
		for _, scenario := range p.scenarios {
			v := verdict{Scenario: scenario, Promise: p.text, Limit: p.limit}
			if figure, ok := median(scenario, ours)[p.metric]; ok {
				v.Figure = &figure
				v.Met = figure <= p.limit
			}
			verdicts = append(verdicts, v)
		}
	}
	return verdicts
}

// promiseTable shows the verdicts on what was measured.
func promiseTable(verdicts []verdict) table {
	t := table{header: []string{"promise", "scenario", "at most", "is", ""}}
	for _, v := range verdicts {
		if v.Figure == nil {
			continue
		}
		verdict := "missed"
		if v.Met {
			verdict = "met"
		}
		t.rows = append(t.rows, []string{v.Promise, v.Scenario, fmt.Sprintf("%g", v.Limit), format(*v.Figure), verdict})
	}
	return t
}
