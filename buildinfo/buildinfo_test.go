package buildinfo

import (
	"runtime/debug"
	"testing"
)

func TestTheVersionIsTheMostThatTheBuildTells(t *testing.T) {
	t.Parallel()
	revision := []debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "0123abcd"}}
	tests := []struct {
		name     string
		module   string
		settings []debug.BuildSetting
		want     string
	}{
		{"a version", "v1.2.3", nil, "v1.2.3"},
		{"a version and a revision", "v1.2.3", revision, "v1.2.3"},
		{"a revision", "(devel)", revision, "0123abcd"},
		{"a revision of a module without a version", "", revision, "0123abcd"},
		{"nothing", "", nil, "(devel)"},
	}
	for _, tt := range tests {
		info := &debug.BuildInfo{Main: debug.Module{Version: tt.module}, Settings: tt.settings}
		if got := versionOf(info); got != tt.want {
			t.Errorf("%s: version %q, want %q", tt.name, got, tt.want)
		}
	}
	if Version() == "" {
		t.Error("this test has an empty version")
	}
}
