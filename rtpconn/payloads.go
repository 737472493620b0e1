package rtpconn

import (
	"fmt"
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
	// retransmitted is the payload type of retransmissions (RFC 4588); 0 if
	// there are none.
	retransmitted uint8
	// redundant is the payload type of packets that carry several frames
	// (RFC 2198); 0 if there are none.
	redundant uint8
}

// feedback is what a publisher understands of ours (RFC 4585 §4.2).
type feedback struct {
	nack, pli, fir, remb bool
	transport            bool // transport-wide congestion control
}

// newPayloads describes negotiated codecs.
func newPayloads(negotiated []webrtc.RTPCodecParameters) *payloads {
	p := &payloads{}
	for _, c := range negotiated {
		if isCompanion(c) {
			continue
		}
		// The publisher's payload type holds on its connection.
		format, _ := codecs.ForDown(c.MimeType, c.ClockRate, c.Channels, c.SDPFmtpLine)
		format.PayloadType = uint8(c.PayloadType)
		p.entries = append(p.entries, payload{
			format:   format,
			parse:    codecs.ParserFor(c.MimeType),
			feedback: feedbackFromPion(c.RTCPFeedback),

			retransmitted: retransmissionType(negotiated, c.PayloadType),
			redundant:     redundancyType(negotiated, c.PayloadType),
		})
	}
	return p
}

// retransmissionType returns the payload type of the retransmissions of one of
// negotiated codecs, 0 if there are none.
func retransmissionType(negotiated []webrtc.RTPCodecParameters, of webrtc.PayloadType) uint8 {
	for _, c := range negotiated {
		associated, ok := codecs.AssociatedType(c.SDPFmtpLine)
		if codecs.IsRTX(c.MimeType) && ok && associated == uint8(of) {
			return uint8(c.PayloadType)
		}
	}
	return 0
}

// redundancyType returns the payload type in which one of negotiated codecs comes
// with redundancy, 0 if there is none.
func redundancyType(negotiated []webrtc.RTPCodecParameters, of webrtc.PayloadType) uint8 {
	for _, c := range negotiated {
		blocks, ok := codecs.RedundantType(c.SDPFmtpLine)
		if codecs.IsRED(c.MimeType) && ok && blocks == uint8(of) {
			return uint8(c.PayloadType)
		}
	}
	return 0
}

// isCompanion tells whether a format is of use only beside a codec.
func isCompanion(c webrtc.RTPCodecParameters) bool {
	return codecs.IsRTX(c.MimeType) || codecs.IsRED(c.MimeType)
}

// carries returns the codec that comes with redundancy in a payload type, or nil.
func (p *payloads) carries(payloadType uint8) *payload {
	for i := range p.entries {
		if payloadType != 0 && p.entries[i].redundant == payloadType {
			return &p.entries[i]
		}
	}
	return nil
}

// retransmits returns the codec whose retransmissions have a payload type, or nil.
func (p *payloads) retransmits(payloadType uint8) *payload {
	for i := range p.entries {
		if payloadType != 0 && p.entries[i].retransmitted == payloadType {
			return &p.entries[i]
		}
	}
	return nil
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

		transport: has("transport-cc", ""),
	}
}

// byPreference sorts negotiated codecs into the order in which names lists
// them; what is not in names, and what is equal, stays in the peer's order.
// Retransmissions follow what they are for, and are left out without it.
func byPreference(negotiated []webrtc.RTPCodecParameters, names []string) []webrtc.RTPCodecParameters {
	rank := func(c webrtc.RTPCodecParameters) int {
		for i, name := range names {
			_, subtype, _ := strings.Cut(c.MimeType, "/")
			if codecs.IsRED(c.MimeType) {
				subtype = "opus" // the peer says which of the two it rather sends
			}
			if strings.EqualFold(subtype, name) {
				return i
			}
		}
		return len(names)
	}
	sorted := slices.DeleteFunc(slices.Clone(negotiated), func(c webrtc.RTPCodecParameters) bool {
		return codecs.IsRTX(c.MimeType) || codecs.IsRED(c.MimeType) && !accompanies(c, negotiated)
	})
	slices.SortStableFunc(sorted, func(a, b webrtc.RTPCodecParameters) int {
		return rank(a) - rank(b)
	})
	return withRetransmissions(sorted, negotiated)
}

// accompanies tells whether what comes with redundancy in c is negotiated itself.
func accompanies(c webrtc.RTPCodecParameters, negotiated []webrtc.RTPCodecParameters) bool {
	blocks, ok := codecs.RedundantType(c.SDPFmtpLine)
	return ok && slices.ContainsFunc(negotiated, func(other webrtc.RTPCodecParameters) bool {
		return !isCompanion(other) && uint8(other.PayloadType) == blocks
	})
}

// withRetransmissions puts behind each of codecs the format of its
// retransmissions, if it is among what was negotiated, with no parameter but apt.
func withRetransmissions(sorted, negotiated []webrtc.RTPCodecParameters) []webrtc.RTPCodecParameters {
	all := make([]webrtc.RTPCodecParameters, 0, len(negotiated))
	for _, c := range sorted {
		all = append(all, c)
		payloadType := retransmissionType(negotiated, c.PayloadType)
		for _, r := range negotiated {
			if payloadType != 0 && uint8(r.PayloadType) == payloadType {
				r.SDPFmtpLine = fmt.Sprintf("apt=%d", c.PayloadType)
				all = append(all, r)
			}
		}
	}
	return all
}
