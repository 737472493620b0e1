package config

import (
	"bytes"
	"errors"
	"flag"
	"net/netip"
	"strings"
	"testing"
)

func defaultFlags() Flags {
	return Flags{
		HTTP:       ":8443",
		Data:       "./data/",
		Groups:     "./groups/",
		Recordings: "./recordings/",
		Turn:       TURN{Auto: true, Port: 1194},
	}
}

func TestParseFlagsReadsEveryFlag(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		args string
		want func(*Flags)
	}{
		{"nothing", "", func(*Flags) {}},
		{"address", "-http localhost:80", func(f *Flags) { f.HTTP = "localhost:80" }},
		{"two dashes and an equals sign", "--http=/run/galene.sock", func(f *Flags) { f.HTTP = "/run/galene.sock" }},
		{"a socket for a group of users", "-http /run/galene.sock -socket-mode 0660", func(f *Flags) {
			f.HTTP, f.SocketMode = "/run/galene.sock", 0o660
		}},
		{"a socket for metrics", "-metrics /run/m.sock -socket-mode 666", func(f *Flags) {
			f.Metrics, f.SocketMode = "/run/m.sock", 0o666
		}},
		{"plain HTTP", "-insecure", func(f *Flags) { f.Insecure = true }},
		{"boolean switched off", "-insecure=false", func(*Flags) {}},
		{"directories", "-static s -data d -groups g -recordings r", func(f *Flags) {
			f.Static, f.Data, f.Groups, f.Recordings = "s", "d", "g", "r"
		}},
		{"TURN", "-turn :1194", func(f *Flags) { f.Turn = TURN{Port: 1194} }},
		{"no TURN", "-turn=", func(f *Flags) { f.Turn = TURN{} }},
		{"TURN in a demonstration", "-demo -turn :1194", func(f *Flags) {
			f.Demo, f.Loopback, f.HTTP, f.Turn = true, true, "localhost:8443", TURN{Port: 1194}
		}},
		{"behind a NAT", "-public-address 192.0.2.1,2001:db8::1", func(f *Flags) {
			f.PublicAddresses = PublicAddresses{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
		}},
		{"ICE policy", "-relay-only -mdns -loopback", func(f *Flags) {
			f.RelayOnly, f.MDNS, f.Loopback = true, true, true
		}},
		{"one port", "-udp-range 5000", func(f *Flags) { f.UDPRange = PortRange{5000, 5000} }},
		{"a range", "-udp-range 1-65535", func(f *Flags) { f.UDPRange = PortRange{1, 65535} }},
		{"a range of one", "-udp-range 7-7", func(f *Flags) { f.UDPRange = PortRange{7, 7} }},
		{"profiles", "-cpuprofile c -memprofile m -mutexprofile x", func(f *Flags) {
			f.CPUProfile, f.MemProfile, f.MutexProfile = "c", "m", "x"
		}},
		{"metrics on a port of this machine", "-metrics 9090", func(f *Flags) { f.Metrics = "localhost:9090" }},
		{"the same with a colon", "-metrics :9090", func(f *Flags) { f.Metrics = "localhost:9090" }},
		{"metrics for others", "-metrics 192.0.2.1:9090 -metrics-groups", func(f *Flags) {
			f.Metrics, f.MetricGroups = "192.0.2.1:9090", true
		}},
		{"metrics for everybody", "-metrics [::]:0", func(f *Flags) { f.Metrics = "[::]:0" }},
		{"metrics on a Unix socket", "-metrics /run/m.sock", func(f *Flags) { f.Metrics = "/run/m.sock" }},
		{"version", "-version", func(f *Flags) { f.Version = true }},
		{"a demonstration stays on this machine", "-demo", func(f *Flags) {
			f.Demo, f.Loopback, f.HTTP, f.Turn = true, true, "localhost:8443", TURN{}
		}},
		{"unless told otherwise", "-demo -http :8443", func(f *Flags) {
			f.Demo, f.Loopback, f.HTTP, f.Turn = true, true, ":8443", TURN{}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := defaultFlags()
			tt.want(&want)
			var output bytes.Buffer
			got, err := ParseFlags(strings.Fields(tt.args), &output)
			if err != nil || got != want {
				t.Errorf("ParseFlags(%q) = %+v, %v, want %+v", tt.args, got, err, want)
			}
			if output.Len() != 0 {
				t.Errorf("ParseFlags(%q) printed %q", tt.args, &output)
			}
		})
	}
}

func TestParseFlagsExplainsUsage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, args, mention string
	}{
		{"unknown flag", "-htpp :80", "htpp"},
		{"malformed boolean", "-insecure=perhaps", "perhaps"},
		{"missing value", "-http", "http"},
		{"empty address", "-http=", "-http"},
		{"extra argument", "-insecure start", `"start"`},
		{"permissions of a socket without a socket", "-socket-mode 660", "-socket-mode"},
		{"a demonstration with its own groups", "-demo -groups g", "-groups"},
		{"a demonstration with its own data", "-demo -data d", "-data"},
		{"a demonstration with its own recordings", "-demo -recordings d", "-recordings"},
		{"a demonstration on a socket", "-demo -http /run/sock", "Unix socket"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var output bytes.Buffer
			_, err := ParseFlags(strings.Fields(tt.args), &output)
			if _, ok := errors.AsType[*UsageError](err); !ok {
				t.Fatalf("ParseFlags(%q) error = %v, want a UsageError", tt.args, err)
			}
			for _, want := range []string{tt.mention, "-udp-range"} {
				if !strings.Contains(output.String(), want) {
					t.Errorf("ParseFlags(%q) printed %q, want %q in it", tt.args, &output, want)
				}
			}
		})
	}
}

func TestParseFlagsHelps(t *testing.T) {
	t.Parallel()
	var output bytes.Buffer
	_, err := ParseFlags([]string{"-h"}, &output)
	if !errors.Is(err, flag.ErrHelp) {
		t.Errorf("ParseFlags(-h) error = %v, want %v", err, flag.ErrHelp)
	}
	if !strings.Contains(output.String(), "-recordings") {
		t.Errorf("ParseFlags(-h) printed %q, want the usage", &output)
	}
}

func TestParseFlagsRefusesImpossiblePorts(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"x", "", "-", "5-4", "0-10", "0", "70000", "1-70000", "1-2-3", "-5", "5-", " 5", "+5"} {
		var output bytes.Buffer
		_, err := ParseFlags([]string{"-udp-range=" + value}, &output)
		if err == nil || !strings.Contains(err.Error(), "-udp-range") {
			t.Errorf("ParseFlags(-udp-range=%q) error = %v, want one that names the flag", value, err)
		}
		if _, ok := errors.AsType[*UsageError](err); ok {
			t.Errorf("ParseFlags(-udp-range=%q) gives a UsageError, want another error", value)
		}
	}
}

func TestParseFlagsRefusesImpossibleAddresses(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{
		"-turn=automatic", "-turn=192.0.2.1", "-turn=:0", "-public-address=localhost", "-public-address=,",
		"-http=/s -socket-mode=", "-http=/s -socket-mode=666x", "-http=/s -socket-mode=80", "-http=/s -socket-mode=1777", "-http=/s -socket-mode=066",
		"-metrics=localhost", "-metrics=:http", "-metrics=65536", "-metrics=:", "-metrics=::1:5",
	} {
		args := strings.Fields(flag)
		_, err := ParseFlags(args, new(bytes.Buffer))
		name, _, _ := strings.Cut(args[len(args)-1], "=")
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("ParseFlags(%q) error = %v, want one that names the flag", flag, err)
		}
		if _, ok := errors.AsType[*UsageError](err); ok {
			t.Errorf("ParseFlags(%q) gives a UsageError, want another error", flag)
		}
	}
}

func TestPortRangeSingle(t *testing.T) {
	t.Parallel()
	tests := []struct {
		ports PortRange
		want  bool
	}{
		{PortRange{}, false},
		{PortRange{5, 5}, true},
		{PortRange{5, 6}, false},
	}
	for _, tt := range tests {
		if got := tt.ports.Single(); got != tt.want {
			t.Errorf("%v.Single() = %v, want %v", tt.ports, got, tt.want)
		}
	}
}
