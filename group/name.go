package group

import (
	"strings"
	"unicode/utf8"
)

const (
	// maxSegmentBytes bounds each part of a group's or user's name, and
	// maxNameBytes the whole.
	maxSegmentBytes = 255
	maxNameBytes    = 1024
)

// ValidName reports whether name can be that of a group: segments separated by
// single slashes, none of them empty, "." or "..", without backslashes and
// control characters. A username is empty or follows the same rules.
func ValidName(name string) bool {
	if len(name) > maxNameBytes || !utf8.ValidString(name) || strings.ContainsFunc(name, forbidden) {
		return false
	}
	for segment := range strings.SplitSeq(name, "/") {
		switch {
		case segment == "", segment == ".", segment == "..", len(segment) > maxSegmentBytes:
			return false
		}
	}
	return true
}

// forbidden tells characters that no name may contain: the separator of other
// systems, C0 controls and delete.
func forbidden(r rune) bool {
	return r == '\\' || r < ' ' || r == 0x7f
}

// parent is name without its last segment; empty at the top.
func parent(name string) string {
	i := strings.LastIndexByte(name, '/')
	return name[:max(i, 0)]
}
