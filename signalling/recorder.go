package signalling

import (
	"errors"

	"galene/group"
)

// Recorder records groups. A group that is recorded has the recorder as a member
// of kind [group.SystemMember]. Its methods may be called from any goroutine.
type Recorder interface {
	// Record starts to record g. It returns [ErrRecording] if that is being
	// done; any other error is logged, and not told.
	Record(g *group.Group) error
	// Unrecord ends the recording of g, if there is one.
	Unrecord(g *group.Group)
}

// ErrRecording is returned when a group is being recorded already.
var ErrRecording = errors.New("signalling: already recording")

// Reasons not to record.
var (
	errAlreadyRecording = &userError{"already recording"}
	errNoRecorder       = &userError{"recording is not available on this server"}
	errNotRecorded      = &userError{"the recording could not be started"}
)

func record(s *session, _ *Message) error {
	r := s.server.recorder
	if r == nil {
		return errNoRecorder
	}
	err := r.Record(s.group.group)
	switch {
	case errors.Is(err, ErrRecording):
		return errAlreadyRecording
	case err != nil:
		s.log.Error("cannot record", "group", s.group.group.Name(), "error", err)
		return errNotRecorded
	}
	return nil
}

// unrecord ends the recording. That there is none is nobody's mistake.
func unrecord(s *session, _ *Message) error {
	if r := s.server.recorder; r != nil {
		r.Unrecord(s.group.group)
	}
	return nil
}
