package signalling

import (
	"slices"

	"galene/codecs"
	"galene/conn"
	"galene/group"
)

// seat is a place of a viewer's connection, and what is sent there. Whoever has one
// keeps it until the stream ends.
type seat struct {
	kind     codecs.Kind
	stream   *group.Stream // nil if the seat is free
	selected conn.Selection
}

// clearSeats takes seats from streams that have ended, or do not fit any more, and
// brings the others up to date.
func (v *viewer) clearSeats() {
	for i := range v.seats {
		s := &v.seats[i]
		if s.stream == nil {
			continue
		}
		present := v.streams[s.stream.ID]
		if present == nil || present.Publisher != s.stream.Publisher || !v.offer(i, present) {
			*s = seat{kind: s.kind}
		}
	}
}

// offer gives seat i to a stream if it has something that fits.
func (v *viewer) offer(i int, s *group.Stream) bool {
	for _, selected := range watchable(s) {
		if selected.Track.Kind() == v.seats[i].kind && v.view.Fits(i, selected.Track) {
			v.seats[i].stream, v.seats[i].selected = s, selected
			return true
		}
	}
	return false
}

// seat gives a stream the seats it lacks, as far as there are any.
func (v *viewer) seat(s *group.Stream) {
	for _, kind := range []codecs.Kind{codecs.Audio, codecs.Video} {
		if !slices.ContainsFunc(v.seats, func(seat seat) bool { return seat.stream == s && seat.kind == kind }) {
			v.seatKind(s, kind)
		}
	}
}

// seatKind gives a stream a seat of a kind: the companion of what it has of the
// other kind; else one that has no companion if the stream needs none; else one
// whose companion is free; else any.
func (v *viewer) seatKind(s *group.Stream, kind codecs.Kind) {
	alone := len(watchable(s)) == 1
	for _, acceptable := range []func(companion *seat) bool{
		func(companion *seat) bool { return companion != nil && companion.stream == s },
		func(companion *seat) bool { return companion == nil && alone },
		func(companion *seat) bool { return companion == nil || companion.stream == nil },
		func(*seat) bool { return true },
	} {
		for i, seat := range v.seats {
			if seat.kind == kind && seat.stream == nil && acceptable(v.companion(i)) && v.offer(i, s) {
				return
			}
		}
	}
}

// companion returns the seat of the other kind with the same number among its kind,
// which a player takes for the same stream; nil if there is none.
func (v *viewer) companion(of int) *seat {
	number := 0
	for _, s := range v.seats[:of] {
		if s.kind == v.seats[of].kind {
			number++
		}
	}
	for i := range v.seats {
		if v.seats[i].kind == v.seats[of].kind {
			continue
		}
		if number == 0 {
			return &v.seats[i]
		}
		number--
	}
	return nil
}
