package rtpconn

import (
	"fmt"
	"strings"

	"github.com/pion/webrtc/v4"

	"galene/codecs"
	"galene/conn"
)

// trackLocal makes a down track known to Pion, which binds it once the
// subscriber has answered.
type trackLocal struct {
	track        *downTrack
	id, streamID string
}

var _ webrtc.TrackLocal = (*trackLocal)(nil)

// newTrackLocal names a track after the publisher's; label is the stream's.
func newTrackLocal(d *downTrack, source conn.UpTrack, label string) *trackLocal {
	return &trackLocal{
		track:    d,
		id:       token(source.TrackID(), source.RID(), d.format.Kind.String()),
		streamID: token(source.StreamID(), label, "dummy"),
	}
}

// token returns the first of words that can stand in an msid (RFC 8830 §2) and
// means something.
func token(words ...string) string {
	for _, w := range words {
		if w != "" && w != "-" && len(w) <= maxIdentifier && !strings.ContainsFunc(w, notToken) {
			return w
		}
	}
	return "dummy"
}

// notToken is the complement of token-char (RFC 8866 §9).
func notToken(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]`, r)
}

// Bind implements webrtc.TrackLocal. It fails if the subscriber has not
// accepted the codec.
func (l *trackLocal) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	for _, parameters := range c.CodecParameters() {
		if l.track.carries(parameters) {
			ssrc := uint32(c.SSRC())
			down := l.track.down
			out := &laneEgress{stream: c.WriteStream(), lane: &down.lane, ssrc: ssrc, first: down.begun}
			l.track.bind(out, ssrc, uint8(parameters.PayloadType))
			l.track.setExtensions(c.HeaderExtensions())
			l.bindRedundancy(c, uint8(parameters.PayloadType))
			l.bindRepair(c, uint8(parameters.PayloadType))
			return parameters, nil
		}
	}
	return webrtc.RTPCodecParameters{}, l.track.refused()
}

// Unbind implements webrtc.TrackLocal.
func (l *trackLocal) Unbind(webrtc.TrackLocalContext) error { return nil }

// ID implements webrtc.TrackLocal.
func (l *trackLocal) ID() string { return l.id }

// RID implements webrtc.TrackLocal. Subscribers get one encoding.
func (l *trackLocal) RID() string { return "" }

// StreamID implements webrtc.TrackLocal.
func (l *trackLocal) StreamID() string { return l.streamID }

// Kind implements webrtc.TrackLocal.
func (l *trackLocal) Kind() webrtc.RTPCodecType { return kindToPion(l.track.format.Kind) }

// refused is the error of a subscriber that cannot take the codec.
func (d *downTrack) refused() error { return unsupported(d.format) }

// unsupported is the error of a subscriber that cannot take a codec.
func unsupported(f codecs.Format) error {
	return refused(fmt.Sprintf("Your browser cannot receive the %s of this stream (%s).",
		f.Kind, f.MimeType), &UnsupportedError{f.Kind, f.MimeType})
}

// carries tells whether negotiated parameters are for the track's codec. If
// our own payload type came back, nothing else can be.
func (d *downTrack) carries(p webrtc.RTPCodecParameters) bool {
	return strings.EqualFold(p.MimeType, d.format.MimeType) && uint8(p.PayloadType) == d.offered ||
		describes(p, d.format)
}

// describes tells whether parameters are for a format, under whatever payload type.
func describes(p webrtc.RTPCodecParameters, f codecs.Format) bool {
	negotiated, _ := codecs.ForDown(p.MimeType, p.ClockRate, p.Channels, p.SDPFmtpLine)
	return strings.EqualFold(p.MimeType, f.MimeType) && negotiated.PayloadType == f.PayloadType
}

// downFormat is the codec in which a track is offered to subscribers.
func downFormat(source conn.UpTrack) codecs.Format {
	f := source.Format()
	down, _ := codecs.ForDown(f.MimeType, f.ClockRate, f.Channels, f.Fmtp)
	return down
}

// sameCodec tells whether a track of codec b can continue one of codec a: what
// a decoder must know is the same. Of formats without a payload type of ours
// only the parameters tell.
func sameCodec(a, b codecs.Format) bool {
	return strings.EqualFold(a.MimeType, b.MimeType) && a.ClockRate == b.ClockRate &&
		a.Channels == b.Channels && a.PayloadType == b.PayloadType &&
		(a.PayloadType != 0 || a.Fmtp == b.Fmtp)
}
