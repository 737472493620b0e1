package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"

	"galene/loadtest"
)

// loadTestFlags are the flags of load-test that do not change the load.
type loadTestFlags struct {
	json, quiet, sync bool
}

// loadTest loads a server.
func loadTest(ctx context.Context, e *environment, args []string) int {
	scenario := loadtest.Default()
	scenario.Insecure = e.global.insecure
	var f loadTestFlags
	set := e.newFlagSet("load-test")
	f.declare(set, &scenario)
	if err := set.Parse(args); err != nil {
		return parseStatus(err)
	}
	if set.NArg() != 1 {
		return e.usage(set, errors.New("one GROUP-URL is needed, after the flags"))
	}
	given := false
	set.Visit(func(fl *flag.Flag) { given = given || fl.Name == "username" })
	if scenario.Token != "" && !given {
		scenario.Username = "" // the token may have one
	}
	var err error
	if scenario.URL, err = e.groupURL(set.Arg(0)); err != nil {
		return e.fail("load-test", err)
	}
	if err := scenario.Validate(); err != nil {
		return e.usage(set, err)
	}

	result, err := loadtest.Run(ctx, scenario, f.options(e))
	if err == nil {
		err = errors.Join(f.print(e.stdout, result), result.Err())
	}
	if err != nil {
		return e.fail("load-test", err)
	}
	return statusDone
}

// groupURL returns the URL of a group that may be given as a path on the server.
func (e *environment) groupURL(argument string) (string, error) {
	if !strings.HasPrefix(argument, "/") {
		return argument, nil
	}
	settings, err := e.global.load()
	if err != nil {
		return "", err
	}
	base, err := url.Parse(settings.Server)
	if err != nil {
		return "", err
	}
	return base.JoinPath(argument).String(), nil
}

func (f *loadTestFlags) declare(set *flag.FlagSet, s *loadtest.Scenario) {
	set.StringVar(&s.Username, "username", s.Username, "`name` of all clients; none with -token, unless it is given")
	set.StringVar(&s.Password, "password", "", "their `password`")
	set.StringVar(&s.Token, "token", "", "join with this `token` instead of a password")
	set.BoolVar(&s.Insecure, "insecure", s.Insecure, "accept any certificate")

	set.IntVar(&s.Groups, "groups", s.Groups, "`number` of groups; if more than 1, -1, -2 and so on are appended to the URL's")
	set.IntVar(&s.Publishers, "publishers", 0, "`number` of publishers in each group")
	set.IntVar(&s.Subscribers, "subscribers", 0, "`number` of clients in each group that only receive")
	set.BoolVar(&s.Meeting, "meeting", false, "publishers receive all others of their group")
	set.IntVar(&s.Idle, "idle", 0, "`number` of further members of the first group that do nothing")
	set.Float64Var(&s.Chat, "chat", 0, "chat messages per `second` to all of the first group")

	set.Var((*bitrate)(&s.Video), "video", "`bitrate` of each publisher's video, such as 1500k or 2M; 0 for none")
	set.IntVar(&s.FrameRate, "fps", s.FrameRate, "video frames per `second`")
	set.IntVar(&s.PacketsPerFrame, "packets-per-frame", 0, "`number` of packets of each video frame (0: as the bitrate needs)")
	set.DurationVar(&s.KeyframeInterval, "keyframe-interval", s.KeyframeInterval, "`time` between keyframes, besides those that are asked for")
	set.BoolVar(&s.Audio, "audio", s.Audio, "publish audio: 50 packets of 80 octets per second")
	set.BoolVar(&s.Paced, "paced", false, "spread each frame at 2.5 times the bitrate, as browsers do")
	set.Float64Var(&s.Drop, "drop", 0, "`percent` of the received video to drop on purpose")
	set.BoolVar(&s.NACK, "nack", s.NACK, "ask for missing packets")
	set.IntVar(&s.Verify, "verify", s.Verify, "decrypt and check one packet in so `many`")

	set.DurationVar(&s.Duration, "duration", s.Duration, "`time` to measure")
	set.DurationVar(&s.WarmUp, "warm-up", s.WarmUp, "`time` before that, once everybody has media")
	set.BoolVar(&s.JoinAtOnce, "join-at-once", false, "all clients connect at once, instead of 20 at a time")

	set.BoolVar(&f.json, "json", false, "print the result as JSON")
	set.BoolVar(&f.quiet, "quiet", false, "no progress on standard error")
	set.BoolVar(&f.sync, "sync", false, "say \"measure start\" and \"measure end\" on standard error at these instants")
}

func (f *loadTestFlags) options(e *environment) loadtest.Options {
	var o loadtest.Options
	if f.sync {
		o.Sync = e.stderr
	}
	if f.quiet {
		return o
	}
	o.Progress = e.stderr
	if file, ok := e.stderr.(*os.File); ok {
		info, err := file.Stat()
		o.Terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return o
}

// print prints a result for programs or for people.
func (f *loadTestFlags) print(w io.Writer, r *loadtest.Result) error {
	if f.json {
		return json.NewEncoder(w).Encode(r)
	}
	p := &r.Packets
	_, err := fmt.Fprintf(w, `measured    %.1f s, %d clients, %d publishers, %d streams received
sent        %d packets
expected    %d packets
received    %d packets, %d of them asked for again, %d duplicates, %d corrupt
lost        %d packets, %.3f %%
delay       p50 %.2f ms, p95 %.2f ms, p99 %.2f ms, at most %.2f ms (%d samples)
joined      p50 %.1f ms, p99 %.1f ms, at most %.1f ms
first media p50 %.1f ms, p99 %.1f ms, at most %.1f ms; all media after %.1f ms
`,
		r.Seconds, r.Clients, r.Publishers, r.DownConnections, p.Sent, p.Expected,
		p.Received, p.Recovered, p.Duplicates, p.Corrupt, p.Lost, 100*r.Loss,
		r.Delay.P50, r.Delay.P95, r.Delay.P99, r.Delay.Max, r.Delay.Samples,
		r.Join.Joined.P50, r.Join.Joined.P99, r.Join.Joined.Max,
		r.Join.FirstMedia.P50, r.Join.FirstMedia.P99, r.Join.FirstMedia.Max, r.Join.AllMedia)
	if err == nil && r.Scenario.Chat > 0 {
		_, err = fmt.Fprintf(w, "chat        %d deliveries, p50 %.2f ms, p99 %.2f ms\n", r.Chat.Deliveries, r.Chat.P50, r.Chat.P99)
	}
	if err == nil {
		_, err = fmt.Fprintf(w, "this load   %.2f s of processor time\n", r.CPUSeconds)
	}
	for _, failure := range r.Failures {
		if err == nil {
			_, err = fmt.Fprintf(w, "failure     %s\n", failure)
		}
	}
	return err
}

// bitrate is a flag's number of bits per second, with k or M behind it for thousands or millions.
type bitrate int

func (b *bitrate) String() string {
	switch n := int(*b); {
	case n != 0 && n%1_000_000 == 0:
		return strconv.Itoa(n/1_000_000) + "M"
	case n != 0 && n%1000 == 0:
		return strconv.Itoa(n/1000) + "k"
	default:
		return strconv.Itoa(n)
	}
}

// Set parses what the flag says.
func (b *bitrate) Set(text string) error {
	unit := 1.0
	for suffix, u := range map[string]float64{"k": 1e3, "K": 1e3, "m": 1e6, "M": 1e6} {
		if rest, ok := strings.CutSuffix(text, suffix); ok {
			text, unit = rest, u
			break
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0 && n*unit <= 1e9) {
		return errors.New("not a number of bits per second")
	}
	*b = bitrate(n * unit)
	return nil
}
