package main

import (
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func TestSchedstatIsReadOrRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		want time.Duration
		ok   bool
	}{
		{"89762 77793 2\n", 89762, true},
		{"0 0 0\n", 0, true},
		{"123456789012345 1 1", 123456789012345, true},
		{"", 0, false},
		{"1 2\n", 0, false},
		{"1 2 3 4\n", 0, false},
		{"-1 2 3\n", 0, false},
		{"x 2 3\n", 0, false},
		{"99999999999999999999 2 3\n", 0, false},
	} {
		got, err := parseSchedstat(test.text)
		if got != test.want || (err == nil) != test.ok {
			t.Errorf("parseSchedstat(%q) = %v, %v, want %v, ok %v", test.text, got, err, test.want, test.ok)
		}
	}
}

// status is what Linux says of a thread.
func status(voluntary, involuntary, anonymous string) string {
	return "Name:\tx\nVmRSS:\t  9000 kB\nRssAnon:\t  " + anonymous + " kB\n" +
		"voluntary_ctxt_switches:\t" + voluntary + "\nnonvoluntary_ctxt_switches:\t" + involuntary + "\n"
}

func TestUsageAddsUpThreads(t *testing.T) {
	t.Parallel()
	p := proc{fstest.MapFS{
		"7/status":           {Data: []byte(status("1", "2", "512"))},
		"7/task/7/schedstat": {Data: []byte("1000 0 1\n")},
		"7/task/7/status":    {Data: []byte(status("1", "2", "512"))},
		"7/task/8/schedstat": {Data: []byte("500 0 1\n")},
		"7/task/8/status":    {Data: []byte(status("30", "40", "512"))},
		"7/task/9/comm":      {Data: []byte("has ended")},
		"8/task/8/schedstat": {Data: []byte("0 0 0\n")},
		"8/task/8/status":    {Data: []byte(status("0", "0", "1"))},
		"9/task/9/schedstat": {Data: []byte("1 0 0\n")},
		"9/task/9/status":    {Data: []byte("Name:\tx\n")},
	}}
	if got, err := p.usage(7); err != nil || got != (usage{1500, 73}) {
		t.Errorf("usage = %+v, %v", got, err)
	}
	if got, err := p.thread(7, "8"); err != nil || got != (usage{500, 70}) {
		t.Errorf("usage of a thread = %+v, %v", got, err)
	}
	if got, err := p.memory(7); err != nil || got != 512 {
		t.Errorf("memory = %d, %v, want 512", got, err)
	}
	for pid, why := range map[int]string{6: "there is no such process", 8: "the scheduler counts nothing", 9: "the status lacks lines"} {
		if got, err := p.usage(pid); err == nil {
			t.Errorf("usage = %+v where %s", got, why)
		}
	}
	if got := (usage{10, 9}).since(usage{4, 2}); got != (usage{6, 7}) {
		t.Errorf("since = %+v", got)
	}
}

func TestMedianIsTheMiddleOne(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{3}, 3},
		{[]float64{9, 1}, 5},
		{[]float64{9, 1, 2}, 2},
		{[]float64{4, 100, 1, 2}, 3},
		{[]float64{5, 5, 1, 1000, 7}, 5},
	} {
		if got := median(slices.Clone(test.values)); got != test.want {
			t.Errorf("median(%v) = %v, want %v", test.values, got, test.want)
		}
	}
}

func TestSeriesLeaveOutWhatFailed(t *testing.T) {
	t.Parallel()
	s := series{{cpuPerPacket: 6, lossShare: 0}, nil, {cpuPerPacket: 4, lossShare: 1}, {cpuPerPacket: 9, lossShare: 0}}
	// The second round failed for the server, the last one for the limit.
	s.compare(series{{cpuPerPacket: 2}, {cpuPerPacket: 1}, {cpuPerPacket: 4}, nil})
	got := s.median()
	if got[cpuPerPacket] != 6 || got[ratioToLimit] != 2 {
		t.Errorf("median = %v, want 6 us and a ratio of 2, from 3 and 1", got)
	}
	if got[lossShare] != 1 {
		t.Errorf("loss = %v, want that of the worst round", got[lossShare])
	}
	if len(series{nil, nil}.median()) != 0 {
		t.Error("rounds that failed have a median")
	}
}

func TestPromisesAreMetUpToTheLimit(t *testing.T) {
	t.Parallel()
	figures := map[string]sample{
		"lecture": {ratioToLimit: 1.75},
		"meeting": {ratioToLimit: 1.7501},
		"storm":   {},
	}
	median := func(scenario, subject string) sample {
		if subject != ours {
			t.Errorf("asked for %s of %s", scenario, subject)
		}
		return figures[scenario]
	}
	verdicts := judge([]promise{
		{"ratio", ratioToLimit, 1.75, []string{"lecture", "meeting"}},
		{"media", allMedia, 600, []string{"storm"}},
	}, median)
	if len(verdicts) != 3 || !verdicts[0].Met || verdicts[1].Met || verdicts[2].Met || verdicts[2].Figure != nil {
		t.Errorf("verdicts %+v, want met, missed, and not measured", verdicts)
	}
	var b strings.Builder
	table := promiseTable(verdicts)
	if err := table.write(&b); err != nil {
		t.Fatal(err)
	}
	const want = `| promise | scenario | at most |   is |        |
|---------|---------:|--------:|-----:|-------:|
| ratio   |  lecture |    1.75 | 1.75 |    met |
| ratio   |  meeting |    1.75 | 1.75 | missed |
`
	if b.String() != want {
		t.Errorf("the table is\n%swant\n%s", b.String(), want)
	}
}

func TestPromisesAreAboutScenariosThatShowThem(t *testing.T) {
	t.Parallel()
	for _, p := range promises() {
		for _, name := range p.scenarios {
			s := findScenario(name)
			if s == nil {
				t.Errorf("%s: there is no scenario %q", p.text, name)
				continue
			}
			shown := slices.ContainsFunc(sections(), func(section section) bool {
				return section.kind == s.kind && slices.ContainsFunc(section.columns, func(c column) bool { return c.metric == p.metric })
			})
			if !shown {
				t.Errorf("%s: the table of %s has no %s", p.text, name, p.metric)
			}
		}
	}
}

func TestScenariosHaveLimitsWithTraffic(t *testing.T) {
	t.Parallel()
	for _, s := range scenarios() {
		if s.kind != kindMedia {
			continue
		}
		limit := findScenario(s.limit)
		if limit == nil || len(limit.shape.flows()) == 0 || limit.paced != s.paced || slices.Contains(s.args, "-paced") != s.paced {
			t.Errorf("%s has limit %q: %+v", s.name, s.limit, limit)
		}
	}
}

func TestFiguresHaveThreeDigits(t *testing.T) {
	t.Parallel()
	for value, want := range map[float64]string{
		0: "0", 0.0123456: "0.0123", 0.5: "0.500", 1.7501: "1.75", 12.345: "12.3", 123.4: "123", 12345: "12345", -2.5: "-2.50",
	} {
		if got := format(value); got != want {
			t.Errorf("format(%v) = %q, want %q", value, got, want)
		}
	}
}

func TestFiguresOfALoadTest(t *testing.T) {
	t.Parallel()
	m := measurement{server: usage{cpu: 2 * time.Second, switches: 500}, before: 1000, after: 3000}
	m.load.Seconds, m.load.Clients, m.load.CPUSeconds = 10, 50, 1.5
	m.load.Packets.Received, m.load.Packets.Expected, m.load.Packets.Lost = 100_000, 100_100, 100
	s := m.sample()
	for metric, want := range map[metric]float64{
		cpuPerPacket: 20, switchesPerPacket: 0.005, packetRate: 10_000, memoryPerClient: 40,
		generatorCPU: 15, serverCPU: 20, lossShare: 100 * 100.0 / 100_100,
	} {
		if got := s[metric]; math.Abs(got-want) > 1e-9 {
			t.Errorf("%s = %v, want %v", metric, got, want)
		}
	}
	if _, ok := s[cpuPerDelivery]; ok {
		t.Error("there are figures of a chat without messages")
	}
}

func TestIncomparableLoadTestsAreRefused(t *testing.T) {
	t.Parallel()
	good := loadResult{Seconds: 1, Clients: 1}
	if err := good.check(); err != nil {
		t.Error(err)
	}
	for why, change := range map[string]func(r *loadResult){
		"a complaint":      func(r *loadResult) { r.Failures = []string{"no"} },
		"a corrupt packet": func(r *loadResult) { r.Packets.Corrupt = 1 },
		"no time":          func(r *loadResult) { r.Seconds = 0 },
		"nobody":           func(r *loadResult) { r.Clients = 0 },
	} {
		r := good
		change(&r)
		if r.check() == nil {
			t.Errorf("a load test with %s is taken", why)
		}
	}
}

func TestBenchmarkLinesAreRead(t *testing.T) {
	t.Parallel()
	units := map[string]metric{"goroutines/down": goroutinesPerDown}
	got, err := parseBenchmark("goos: linux\nBenchmarkIdleDown-2 \t 1\t 5 ns/op\t 11.50 goroutines/down\nPASS\n", units)
	if err != nil || got[goroutinesPerDown] != 11.5 {
		t.Errorf("parsed %v, %v", got, err)
	}
	for _, text := range []string{"", "PASS\n", "BenchmarkIdleDown-2 1 5 ns/op\n", "BenchmarkIdleDown-2 1 x goroutines/down\n"} {
		if got, err := parseBenchmark(text, units); err == nil {
			t.Errorf("parsed %v out of %q", got, text)
		}
	}
}
