// Package buildinfo says which version of the programs this is.
//
// Its functions may be called from any goroutine and keep nothing.
package buildinfo

import "runtime/debug"

// unknown is what Go calls a version that it does not know.
const unknown = "(devel)"

// Version is the module's version, or the revision that was built, as far as the
// build tells; it is never empty.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return unknown
	}
	return versionOf(info)
}

func versionOf(info *debug.BuildInfo) string {
	if version := info.Main.Version; version != "" && version != unknown {
		return version
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value
		}
	}
	return unknown
}
