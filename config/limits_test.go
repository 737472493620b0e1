package config

import (
	"log/slog"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestLimitsAreReadFromTheSettings(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.json")
	write(t, path, `{"limits":{"chatBytes":1000,"streamsPerClient":2}}`)
	got := Open(path, slog.New(slog.DiscardHandler)).Settings().Limits
	if want := (Limits{ChatBytes: 1000, StreamsPerClient: 2}); got != want {
		t.Errorf("Limits = %+v, want %+v", got, want)
	}
}

func TestLimitsThatCannotBeUsedAreRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ data, want string }{
		{`{"limits":{"chatBytes":-1}}`, "limits.chatBytes"},
		{`{"limits":{"historyBytes":2000000000}}`, "limits.historyBytes"},
		{`{"limits":{"messageBytes":100}}`, "limits.messageBytes"},
		{`{"limits":{"messageBytes":"many"}}`, "limits.messageBytes"},
		{`{"limits":{"colours":3}}`, "colours"},
	} {
		path := filepath.Join(t.TempDir(), "config.json")
		write(t, path, tt.data)
		if _, _, err := load(path); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("load(%s) = %v, want an error that names %s", tt.data, err, tt.want)
		}
	}
}

func TestEveryLimitHasADefaultThatAnExplicitValueReplaces(t *testing.T) {
	t.Parallel()
	defaults := reflect.ValueOf(Limits{}.WithDefaults())
	for i := range defaults.NumField() {
		name := defaults.Type().Field(i).Name
		if defaults.Field(i).Int() <= 0 {
			t.Errorf("%s has no default", name)
		}
		var l Limits
		reflect.ValueOf(&l).Elem().Field(i).SetInt(7000)
		if got := reflect.ValueOf(l.WithDefaults()).Field(i).Int(); got != 7000 {
			t.Errorf("%s = %d, want the 7000 that it was set to", name, got)
		}
	}
}
