//go:build !linux

package group

import "runtime"

// tellsChanges reports whether a directory should be watched. Where that takes
// an open file for every file in it, looking for changes is cheaper.
func tellsChanges(string) bool { return runtime.GOOS == "windows" }
