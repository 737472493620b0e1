package webserver

import (
	"net/http"
	"slices"
	"strings"

	"galene/group"
)

// version is the state of an object for which a request has preconditions (RFC
// 9110 §13). The tag is empty for what has none.
type version struct {
	exists bool
	tag    string
}

// isConditional reports whether a request has preconditions.
func isConditional(header http.Header) bool {
	return len(header.Values("If-Match")) > 0 || len(header.Values("If-None-Match")) > 0
}

// status is that of the reply to a request whose preconditions do not hold for
// v; 0 if they do. What does not exist matches nothing.
func (v version) status(r *http.Request) int {
	if values := r.Header.Values("If-Match"); len(values) > 0 && !v.matches(values) {
		return http.StatusPreconditionFailed
	}
	if values := r.Header.Values("If-None-Match"); len(values) > 0 && v.matches(values) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			return http.StatusNotModified
		}
		return http.StatusPreconditionFailed
	}
	return 0
}

// expected is the tag that a change which the request asks for has to find, as
// [group.Registry.WriteDefinition] takes it.
func (v version) expected(header http.Header) string {
	switch {
	case !isConditional(header):
		return group.AnyTag
	case v.exists:
		return v.tag
	default:
		return ""
	}
}

// matches reports whether v is among the entity tags in the values of a header,
// by strong comparison.
func (v version) matches(values []string) bool {
	if !v.exists {
		return false
	}
	tags := entityTags(values)
	return slices.Contains(tags, "*") || v.tag != "" && slices.Contains(tags, v.tag)
}

// entityTags takes apart lists of entity tags, which may contain commas. Weak
// tags keep their "W/", with which they equal no strong one.
func entityTags(values []string) []string {
	var tags []string
	for _, rest := range values {
		for {
			rest = strings.TrimLeft(rest, ", \t")
			if rest == "" {
				break
			}
			end := strings.IndexByte(rest, ',')
			if opaque := strings.TrimPrefix(rest, "W/"); strings.HasPrefix(opaque, `"`) {
				start := len(rest) - len(opaque) + 1
				if closing := strings.IndexByte(rest[start:], '"'); closing >= 0 {
					end = start + closing + 1
				}
			}
			if end < 0 {
				end = len(rest)
			}
			tags = append(tags, strings.TrimRight(rest[:end], " \t"))
			rest = rest[end:]
		}
	}
	return tags
}
