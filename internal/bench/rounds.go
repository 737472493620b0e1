package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"
)

// limitSubject names the limit among the subjects.
const limitSubject = "limit"

// key says what a series is of.
type key struct{ scenario, subject string }

// job is one measurement of a round.
type job struct {
	key
	measure func(ctx context.Context) (sample, error)
}

// jobs lists what a round consists of: for each scenario its limit, if that has
// not been measured in this round, and the servers.
func (b *bench) jobs(subjects []subject) []job {
	var jobs []job
	limits := make(map[string]bool)
	for _, s := range b.options.scenarios {
		if s.kind == kindProbe {
			jobs = append(jobs, job{key{s.name, ours}, b.idleDown})
			continue
		}
		if s.limit != "" && !limits[s.limit] {
			limits[s.limit] = true
			of := findScenario(s.limit)
			jobs = append(jobs, job{key{s.limit, limitSubject}, func(ctx context.Context) (sample, error) {
				return b.limit(ctx, of)
			}})
		}
		for _, subject := range subjects {
			jobs = append(jobs, job{key{s.name, subject.name}, func(ctx context.Context) (sample, error) {
				return b.server(ctx, &s, subject)
			}})
		}
	}
	return jobs
}

// results are the series of everything that was measured.
type results struct {
	series   map[key]series
	failures []string
}

// runRounds runs the jobs round by round, every other round backwards, so that
// none of them always follows the same one. What fails is told to log and left
// out.
func runRounds(ctx context.Context, rounds int, jobs []job, log io.Writer) results {
	r := results{series: make(map[key]series)}
	for round := range rounds {
		order := slices.Clone(jobs)
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for i, j := range order {
			if ctx.Err() != nil {
				break
			}
			_, _ = fmt.Fprintf(log, "%s round %d/%d, %d/%d: %s of %s\n",
				time.Now().Format(time.TimeOnly), round+1, rounds, i+1, len(order), j.scenario, j.subject)
			one, err := j.measure(ctx)
			if err != nil {
				failure := fmt.Sprintf("%s of %s, round %d: %v", j.scenario, j.subject, round+1, err)
				_, _ = fmt.Fprintln(log, failure)
				r.failures = append(r.failures, failure)
				one = nil
			}
			if r.series[j.key] == nil {
				r.series[j.key] = make(series, rounds)
			}
			r.series[j.key][round] = one
		}
	}
	if err := context.Cause(ctx); err != nil {
		r.failures = append(r.failures, fmt.Sprintf("interrupted: %v", err))
	}
	return r
}

// compare sets the ratios of all servers to their scenarios' limits.
func (r *results) compare(scenarios []scenario) {
	for k, series := range r.series {
		if k.subject == limitSubject {
			continue
		}
		for _, s := range scenarios {
			if s.name == k.scenario && s.limit != "" {
				series.compare(r.series[key{s.limit, limitSubject}])
			}
		}
	}
}

// median is the median of one series; it is nil if nothing was measured.
func (r *results) median(scenario, subject string) sample {
	m := r.series[key{scenario, subject}].median()
	if len(m) == 0 {
		return nil
	}
	return m
}
