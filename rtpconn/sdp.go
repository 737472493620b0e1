package rtpconn

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"

	"galene/codecs"
)

// section is what we read of one m-section of a peer's session description.
type section struct {
	kind     codecs.Kind
	mid      string
	rejected bool // port zero (RFC 3264 §6)
	sends    bool // the peer may send
	receives bool // the peer may receive
	streamID string
	trackID  string
	// rids are the simulcast encodings the peer sends, in its order of
	// preference (RFC 8853 §5.2); empty without simulcast.
	rids         []string
	payloadTypes []uint8
	// undirected tells that the direction was left out, which means sendrecv
	// (RFC 8866 §6.7).
	undirected bool
}

// parseDescription reads a peer's session description. All errors are
// NegotiationErrors. The sections are those of the description, in order.
func parseDescription(text string) (*sdp.SessionDescription, []section, error) {
	if len(text) > maxSDP {
		return nil, nil, refused("The session description is too long.", nil)
	}
	description := &sdp.SessionDescription{}
	if err := description.UnmarshalString(text); err != nil {
		return nil, nil, refused("The session description cannot be read.", err)
	}
	sections, err := readSections(description)
	if err != nil {
		return nil, nil, err
	}
	return description, sections, nil
}

// readSections reads and checks the m-sections of d.
func readSections(d *sdp.SessionDescription) ([]section, error) {
	if len(d.MediaDescriptions) > maxSections {
		return nil, refused(fmt.Sprintf("More than %d media sections.", maxSections), nil)
	}
	sections := make([]section, 0, len(d.MediaDescriptions))
	mids := make(map[string]bool)
	tracks := 0
	for i, m := range d.MediaDescriptions {
		s, err := readSection(d, m)
		if err != nil {
			return nil, err
		}
		if s.mid == "" && !s.rejected {
			return nil, refused(fmt.Sprintf("Media section %d has no identifier.", i), nil)
		}
		if s.mid != "" && mids[s.mid] {
			return nil, refused(fmt.Sprintf("Two media sections are called %q.", s.mid), nil)
		}
		mids[s.mid] = true
		if s.sends {
			tracks += max(1, len(s.rids))
		}
		sections = append(sections, s)
	}
	if tracks > maxTracks {
		return nil, refused(fmt.Sprintf("More than %d tracks.", maxTracks), nil)
	}
	return sections, nil
}

func readSection(d *sdp.SessionDescription, m *sdp.MediaDescription) (section, error) {
	s := section{rejected: m.MediaName.Port.Value == 0}
	switch strings.ToLower(m.MediaName.Media) {
	case "audio":
		s.kind = codecs.Audio
	case "video":
		s.kind = codecs.Video
	default:
		text := fmt.Sprintf("Media of kind %q is not supported.", m.MediaName.Media)
		return s, refused(text, nil)
	}
	s.mid, _ = m.Attribute(sdp.AttrKeyMID)
	if bundleOnly(m) {
		s.rejected = false
	}
	if len(s.mid) > maxIdentifier {
		return s, refused("A media section's identifier is too long.", nil)
	}
	s.sends, s.receives, s.undirected = readDirection(d, m)
	s.sends, s.receives = s.sends && !s.rejected, s.receives && !s.rejected
	s.streamID, s.trackID = readMSID(m)
	s.rids = readRIDs(m)
	for _, format := range m.MediaName.Formats {
		if pt, err := strconv.ParseUint(format, 10, 7); err == nil {
			s.payloadTypes = append(s.payloadTypes, uint8(pt))
		}
	}
	return s, nil
}

// bundleOnly tells that port zero does not reject m (RFC 9143 §6).
func bundleOnly(m *sdp.MediaDescription) bool {
	_, ok := m.Attribute("bundle-only")
	return ok
}

// readDirection returns which way the peer lets media go (RFC 8866 §6.7). A
// direction at session level holds for sections without one.
func readDirection(d *sdp.SessionDescription, m *sdp.MediaDescription) (sends, receives, undirected bool) {
	if sends, receives, ok := direct(m.Attribute); ok {
		return sends, receives, false
	}
	if sends, receives, ok := direct(d.Attribute); ok {
		return sends, receives, true
	}
	return true, true, true
}

// direct looks for a direction among attributes.
func direct(attribute func(string) (string, bool)) (sends, receives, ok bool) {
	for _, d := range []struct {
		key             string
		sends, receives bool
	}{
		{sdp.AttrKeySendRecv, true, true},
		{sdp.AttrKeySendOnly, true, false},
		{sdp.AttrKeyRecvOnly, false, true},
		{sdp.AttrKeyInactive, false, false},
	} {
		if _, ok := attribute(d.key); ok {
			return d.sends, d.receives, true
		}
	}
	return false, false, false
}

// direction is the attribute for what s says.
func (s *section) direction() string {
	switch {
	case s.sends && s.receives:
		return sdp.AttrKeySendRecv
	case s.sends:
		return sdp.AttrKeySendOnly
	case s.receives:
		return sdp.AttrKeyRecvOnly
	default:
		return sdp.AttrKeyInactive
	}
}

// readMSID returns the stream and track identifiers (RFC 8830 §2). A stream
// identifier of "-" means that there is no stream.
func readMSID(m *sdp.MediaDescription) (streamID, trackID string) {
	value, ok := m.Attribute(sdp.AttrKeyMsid)
	if !ok || len(value) > 2*maxIdentifier+1 {
		return "", ""
	}
	streamID, trackID, _ = strings.Cut(value, " ")
	if streamID == "-" {
		streamID = ""
	}
	return streamID, trackID
}

// readRIDs returns the encodings the peer sends: those of a=simulcast in its
// order, of alternatives the first (RFC 8853 §5.1), or else those of the a=rid
// lines (RFC 8851 §4) in theirs. What has no a=rid line for sending does not
// count.
func readRIDs(m *sdp.MediaDescription) []string {
	var declared []string
	var simulcast string
	for _, a := range m.Attributes {
		switch a.Key {
		case "rid":
			fields := strings.Fields(a.Value)
			if len(fields) >= 2 && fields[1] == "send" && isRID(fields[0]) &&
				!slices.Contains(declared, fields[0]) {
				declared = append(declared, fields[0])
			}
		case "simulcast":
			simulcast = a.Value
		}
	}

	var ordered []string
	fields := strings.Fields(simulcast)
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i] != "send" {
			continue
		}
		for stream := range strings.SplitSeq(fields[i+1], ";") {
			first, _, _ := strings.Cut(stream, ",")
			rid := strings.TrimPrefix(first, "~") // initially paused
			if slices.Contains(declared, rid) && !slices.Contains(ordered, rid) {
				ordered = append(ordered, rid)
			}
		}
	}
	if len(ordered) == 0 {
		return declared
	}
	return ordered
}

// allowsMixed tells whether a peer takes one- and two-byte header extensions in one
// stream (RFC 8285 §6).
func allowsMixed(d *sdp.SessionDescription) bool {
	if _, ok := d.Attribute(sdp.AttrKeyExtMapAllowMixed); ok {
		return true
	}
	for _, m := range d.MediaDescriptions {
		if _, ok := m.Attribute(sdp.AttrKeyExtMapAllowMixed); !ok {
			return false
		}
	}
	return len(d.MediaDescriptions) > 0
}

// isRID checks the syntax of RFC 8851 §10, and a bound.
func isRID(rid string) bool {
	if rid == "" || len(rid) > maxIdentifier {
		return false
	}
	return !strings.ContainsFunc(rid, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			r == '-' || r == '_')
	})
}

// forPion returns the text of d as Pion is to see it: with each section's
// direction stated, since Pion passes over sections that leave it out, and takes
// rejected ones for what their direction says; only with the candidates that
// admit lets pass; and without header extensions that who sends does not send.
func forPion(text string, d *sdp.SessionDescription, sections []section, admit func(candidate string) bool) (string, error) {
	isExcess := func(a sdp.Attribute) bool { return a.Key == sdp.AttrKeyCandidate && !admit(a.Value) }
	length := len(d.Attributes)
	d.Attributes = slices.DeleteFunc(d.Attributes, isExcess)
	changed := len(d.Attributes) < length
	for i, s := range sections {
		m := d.MediaDescriptions[i]
		length := len(m.Attributes)
		m.Attributes = slices.DeleteFunc(m.Attributes, isExcess)
		if s.sends {
			m.Attributes = slices.DeleteFunc(m.Attributes, isUnsentExtension)
		}
		changed = changed || len(m.Attributes) < length
		if s.rejected {
			m.Attributes = slices.DeleteFunc(m.Attributes, func(a sdp.Attribute) bool {
				return slices.Contains(directions[:], a.Key)
			})
		}
		if s.rejected || s.undirected {
			m.WithPropertyAttribute(s.direction())
			changed = true
		}
	}
	if !changed {
		return text, nil
	}
	out, err := d.Marshal()
	if err != nil {
		return "", refused("The session description cannot be read.", err)
	}
	return string(out), nil
}

// isUnsentExtension tells whether an attribute is about a header extension that the
// peer takes but does not send, which Pion would answer as if it did (RFC 8285
// §5).
func isUnsentExtension(a sdp.Attribute) bool {
	if a.Key != sdp.AttrKeyExtMap {
		return false
	}
	id, _, _ := strings.Cut(a.Value, " ")
	_, way, _ := strings.Cut(id, "/")
	return way == sdp.AttrKeyRecvOnly || way == sdp.AttrKeyInactive
}

// directions are the attributes that state one.
var directions = [...]string{sdp.AttrKeySendRecv, sdp.AttrKeySendOnly, sdp.AttrKeyRecvOnly, sdp.AttrKeyInactive}
