package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// surroundings say where, when and of what the figures are.
type surroundings struct {
	Date      string `json:"date"`
	Processor string `json:"processor"`
	Cores     int    `json:"cores"`
	Kernel    string `json:"kernel"`
	Go        string `json:"go"`
	Version   string `json:"version"` // of this module
}

// look finds out about the surroundings. What cannot be found is left empty.
func look(ctx context.Context) surroundings {
	s := surroundings{
		Date: time.Now().Format(time.DateOnly), Cores: runtime.NumCPU(), Go: runtime.Version(),
		Version: output(ctx, "git", "describe", "--always", "--dirty", "--tags"),
		Kernel:  output(ctx, "uname", "-sr"),
	}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		s.Processor = processor(string(text))
	}
	return s
}

// processor finds the processor's name in /proc/cpuinfo.
func processor(text string) string {
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// output is what a command prints, or nothing if it fails.
func output(ctx context.Context, name string, args ...string) string {
	text, err := exec.CommandContext(ctx, name, args...).Output() //nolint:gosec // names are constants
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// report is everything that is known in the end.
type report struct {
	surroundings surroundings
	options      *options
	subjects     []string // servers, ours first
	results      results
	verdicts     []verdict
}

// write prints the report as Markdown.
func (r *report) write(w io.Writer) error {
	var b bytes.Buffer
	s := r.surroundings
	fmt.Fprintf(&b, "%s, version %s; %s, %d cores; %s; %s. Medians of %d rounds of %v each",
		s.Date, s.Version, s.Processor, s.Cores, s.Kernel, s.Go, r.options.rounds, r.options.duration)
	if r.options.rounds < defaultRounds {
		b.WriteString(" (a quick look, which proves nothing)")
	}
	b.WriteString(".\n")
	for _, section := range sections() {
		t := section.table(r.options.scenarios, r.subjects, &r.results)
		if len(t.rows) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n", section.title)
		if err := t.write(&b); err != nil {
			return err
		}
	}
	if t := promiseTable(r.verdicts); len(t.rows) > 0 {
		b.WriteString("\n### Promises\n\n")
		if err := t.write(&b); err != nil {
			return err
		}
	}
	for _, failure := range r.results.failures {
		first, _, _ := strings.Cut(failure, "\n")
		fmt.Fprintf(&b, "\nFailed: %s\n", first)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// writeJSON writes all figures of all rounds to a file.
func (r *report) writeJSON(file string) error {
	type entry struct {
		Scenario string `json:"scenario"`
		Subject  string `json:"subject"`
		Median   sample `json:"median"`
		Rounds   series `json:"rounds"`
	}
	var entries []entry
	for _, s := range scenarios() {
		for _, subject := range append([]string{limitSubject}, r.subjects...) {
			if median := r.results.median(s.name, subject); median != nil {
				entries = append(entries, entry{s.name, subject, median, r.results.series[key{s.name, subject}]})
			}
		}
	}
	text, err := json.MarshalIndent(map[string]any{
		"surroundings": r.surroundings, "rounds": r.options.rounds, "seconds": r.options.duration.Seconds(),
		"results": entries, "promises": r.verdicts, "failures": r.results.failures,
	}, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644) //nolint:gosec // for everybody to read
}

// The lines of a document between which the results stand.
const (
	markerBegin = "<!-- results: written by make bench -->"
	markerEnd   = "<!-- end of results -->"
)

// errMarkers is returned for a document without a place for results.
var errMarkers = errors.New("the document has no lines " + markerBegin + " and " + markerEnd)

// replaceResults returns the document with other results.
func replaceResults(document, results string) (string, error) {
	before, rest, ok := strings.Cut(document, markerBegin+"\n")
	if !ok {
		return "", errMarkers
	}
	_, after, ok := strings.Cut(rest, markerEnd+"\n")
	if !ok {
		return "", errMarkers
	}
	return before + markerBegin + "\n\n" + strings.TrimSpace(results) + "\n\n" + markerEnd + "\n" + after, nil
}

// writeDocument replaces the results in a file.
func (r *report) writeDocument(file string) error {
	text, err := os.ReadFile(file) //nolint:gosec // the user has named it
	if err != nil {
		return err
	}
	var b strings.Builder
	if err := r.write(&b); err != nil {
		return err
	}
	document, err := replaceResults(string(text), b.String())
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return os.WriteFile(file, []byte(document), 0o644) //nolint:gosec // for everybody to read
}
