// Package conn is the contract between who sends media and who takes it.
//
// A publisher's stream is an [Up]; each RTP stream in it, one per media section
// and simulcast encoding, is an [UpTrack]. Whoever takes media, a subscriber's
// connection or a recorder, registers a [Sink] with the tracks it wants. Nothing
// here knows how packets travel: WebRTC is one implementation.
//
// # Ownership
//
// An up track has one reader at a time, which parses each packet once and hands
// the resulting [Packet] to every sink in turn. Sinks therefore never run
// concurrently for one track, must not block, and must not keep the packet.
// Everything else here may be called from any goroutine.
package conn

import (
	"errors"

	"galene/codecs"
	"galene/rtptime"
	"galene/udpsocket"
)

// ErrClosed is returned when a sink is added to a track that has ended.
var ErrClosed = errors.New("conn: track is closed")

// Up is one published stream.
type Up interface {
	// ID is the stream's identifier, chosen by its publisher.
	ID() string
	// Label is the publisher's word for what the stream shows, such as
	// "camera" or "screenshare"; it may be empty.
	Label() string
	// Tracks lists the stream's tracks in the order of the publisher's
	// session description, encodings of one section in its order of
	// preference, highest quality first. The slice is immutable; it is
	// replaced when the publisher renegotiates.
	Tracks() []UpTrack
}

// UpTrack is one RTP stream of a published stream.
type UpTrack interface {
	Kind() codecs.Kind
	// TrackID and StreamID are the publisher's msid (RFC 8830); either may be
	// empty.
	TrackID() string
	StreamID() string
	// RID names the simulcast encoding (RFC 8852); empty without simulcast.
	RID() string
	// Format is the codec negotiated with the publisher, with its payload
	// type. It changes when the publisher changes codec in mid-stream.
	Format() codecs.Format

	// AddSink hands every packet received from now on to s. It returns
	// [ErrClosed] when the track has ended.
	AddSink(s Sink) error
	// RemoveSink undoes AddSink. When it returns, s is not being called and
	// will not be called again. It must not be called from within s.
	RemoveSink(s Sink)

	// Cached copies a recent packet's payload to dst and describes it in p,
	// whose Payload then aliases dst. It reports whether the packet was there.
	Cached(sequence int64, dst []byte, p *Packet) bool
	// GroupOfPictures returns the range of cached packets that starts with
	// the latest keyframe, if it is complete and recent enough for a newcomer
	// to start from.
	GroupOfPictures() (first, last int64, ok bool)
	// Head is the newest cached packet's sequence number.
	Head() (sequence int64, ok bool)
	// Want tells the track that a subscriber lacks a packet that is not in
	// the cache, so that it may be asked for upstream.
	Want(sequence int64)
	// RequestKeyframe asks the publisher for a keyframe. Requests are
	// coalesced and limited by the track, and need no packet to arrive.
	RequestKeyframe()

	// Clock tells which RTP timestamp the publisher would give to media
	// captured at a local time; ok is false before its first sender report.
	Clock(at rtptime.Instant) (timestamp uint32, ok bool)
	// CNAME is the publisher's canonical name (RFC 3550 §6.5.1); empty until
	// known.
	CNAME() string
}

// Packet is one RTP packet as an up track describes it to its sinks. It is
// parsed once; sinks read it and must not change it. It and its payload are
// valid only during the call that hands them over.
type Packet struct {
	// Sequence is the publisher's sequence number, unwrapped to 64 bits. It
	// is positive and grows by one per packet sent.
	Sequence    int64
	Timestamp   uint32
	Arrival     rtptime.Instant
	PayloadType uint8
	Marker      bool
	// PaddingOnly marks a packet that carried nothing but padding (RFC 3550
	// §5.1). Sinks number past it; Payload is empty.
	PaddingOnly bool
	// Frame is what the payload says about its place in a frame.
	Frame codecs.Frame
	// Payload is what follows the header and its extensions, without padding.
	Payload []byte
	// Redundant is what Payload is the end of, if the packet carries earlier frames
	// too (RFC 2198), all in blocks of PayloadType; nil if it does not.
	Redundant []byte

	// Extensions are the header extensions that are forwarded, which lie in
	// Header: see [Packet.Extension].
	Extensions Extensions
	Header     []byte
}

// Sink takes the packets of one track.
type Sink interface {
	// WritePackets takes the packets that were received together, in order of
	// arrival. It is called by the track's reader and must not block.
	//
	// out gathers what all sinks send over the network on that occasion, and is
	// flushed by who calls; it is nil if there is nothing to gather.
	WritePackets(packets []Packet, out *udpsocket.Batch)
	// ClockChanged tells that the track's Clock or CNAME became known or
	// changed. It must not block.
	ClockChanged()
	// AllowedRate is the most, in bits per second, that this sink can take of
	// the track at present; [Unlimited] if it does not mind.
	AllowedRate(now rtptime.Instant) uint64
}

// Unlimited is the allowed rate of a sink that takes anything.
const Unlimited = ^uint64(0)

// Selection is one track that a subscriber wants of a stream.
type Selection struct {
	Track UpTrack
	// Up is the stream that Track is one of; nil if that is clear from the context.
	Up Up
	// LowestLayer asks for the track's lowest spatial layer only.
	LowestLayer bool
}
