package rtpconn

import (
	"slices"
	"strings"

	"github.com/pion/webrtc/v4"

	"galene/codecs"
)

// payloads says what the payload types of one section of an up connection
// mean. It is immutable.
type payloads struct {
	entries []payload // in the order of the answer
}

// payload is one negotiated codec.
type payload struct {
	format   codecs.Format
	parse    codecs.Parser
	feedback feedback
}

// feedback is what a publisher understands of ours (RFC 4585 §4.2).
type feedback struct {
	nack, pli, fir, remb bool
}

// newPayloads describes negotiated codecs.
func newPayloads(negotiated []webrtc.RTPCodecParameters) *payloads {
	p := &payloads{}
	for _, c := range negotiated {
		// The publisher's payload type holds on its connection.
		format, _ := codecs.ForDown(c.MimeType, c.ClockRate, c.Channels, c.SDPFmtpLine)
		format.PayloadType = uint8(c.PayloadType)
		p.entries = append(p.entries, payload{
			format:   format,
			parse:    codecs.ParserFor(c.MimeType),
			feedback: feedbackFromPion(c.RTCPFeedback),
		})
	}
	return p
}

// find returns the codec of a payload type, or nil.
func (p *payloads) find(payloadType uint8) *payload {
	for i := range p.entries {
		if p.entries[i].format.PayloadType == payloadType {
			return &p.entries[i]
		}
	}
	return nil
}

func feedbackFromPion(list []webrtc.RTCPFeedback) feedback {
	has := func(kind, parameter string) bool {
		return slices.ContainsFunc(list, func(f webrtc.RTCPFeedback) bool {
			return strings.EqualFold(f.Type, kind) && strings.EqualFold(f.Parameter, parameter)
		})
	}
	return feedback{
		nack: has("nack", ""),
		pli:  has("nack", "pli"),
		fir:  has("ccm", "fir"),
		remb: has("goog-remb", ""),
	}
}

// byPreference sorts negotiated codecs into the order in which names lists
// them; what is not in names, and what is equal, stays in the peer's order.
func byPreference(negotiated []webrtc.RTPCodecParameters, names []string) []webrtc.RTPCodecParameters {
	rank := func(c webrtc.RTPCodecParameters) int {
		for i, name := range names {
			_, subtype, _ := strings.Cut(c.MimeType, "/")
			if strings.EqualFold(subtype, name) {
				return i
			}
		}
		return len(names)
	}
	sorted := slices.Clone(negotiated)
	slices.SortStableFunc(sorted, func(a, b webrtc.RTPCodecParameters) int {
		return rank(a) - rank(b)
	})
	return sorted
}
