package main

import (
	"slices"
	"strconv"
)

// kind says what a scenario is about, and so which figures are shown.
type kind int

const (
	kindMedia kind = iota
	kindStorm
	kindIdle
	kindChat
	kindProbe // measured inside the server, by a benchmark of package main
)

// scenario is one thing that is measured.
type scenario struct {
	name  string
	about string // to people
	kind  kind
	args  []string // of the load test
	limit string   // scenario whose limit it is compared with; none if empty
	// For scenarios that have a limit of their own:
	shape shape
	paced bool
}

// What the scenarios are made of.
const (
	lectureSubscribers = 50
	meetingMembers     = 8
	roomCount          = 20
	roomMembers        = 3
	lossPercent        = 2
	stormClients       = 100
	idleClients        = 300
	chatRate           = 20 // messages per second
)

// scenarios returns all scenarios, in the order in which they are run and shown.
func scenarios() []scenario {
	lecture := []string{"-publishers", "1", "-subscribers", strconv.Itoa(lectureSubscribers)}
	meeting := []string{"-publishers", strconv.Itoa(meetingMembers), "-meeting"}
	rooms := []string{"-groups", strconv.Itoa(roomCount), "-publishers", strconv.Itoa(roomMembers), "-meeting"}
	idle := []string{"-idle", strconv.Itoa(idleClients)}

	var all []scenario
	media := func(s scenario) {
		s.args = append(slices.Clone(s.args), mediaArguments()...)
		all = append(all, s)
		s.name += "-paced"
		s.about += ", paced"
		s.limit += "-paced"
		s.paced = true
		s.args = append(slices.Clone(s.args), "-paced")
		all = append(all, s)
	}
	media(scenario{
		name: "lecture", about: "1 publisher, 50 subscribers",
		args: lecture, limit: "lecture", shape: shape{publishers: 1, subscribers: lectureSubscribers},
	})
	media(scenario{
		name: "meeting", about: "8 members who all send and receive",
		args: meeting, limit: "meeting", shape: shape{publishers: meetingMembers, meeting: true},
	})
	media(scenario{name: "rooms", about: "20 meetings of 3", args: rooms, limit: "meeting"})
	media(scenario{
		name: "lossy", about: "the lecture; subscribers lose 2 % of the video",
		args: slices.Concat(lecture, []string{"-drop", strconv.Itoa(lossPercent)}), limit: "lecture",
	})
	return append(all,
		scenario{
			name: "storm", about: "100 subscribers join one publisher at once", kind: kindStorm,
			args: slices.Concat([]string{"-publishers", "1", "-subscribers", strconv.Itoa(stormClients), "-join-at-once"}, mediaArguments()),
		},
		scenario{name: "idle", about: "300 members without media", kind: kindIdle, args: idle},
		scenario{
			name: "chat", about: "20 messages per second to 300 members", kind: kindChat,
			args: slices.Concat(idle, []string{"-chat", strconv.Itoa(chatRate)}),
		},
		scenario{name: "idle-down", about: "down connections without media", kind: kindProbe},
	)
}

// mediaArguments tell the load test what publishers send.
func mediaArguments() []string {
	return []string{
		"-video", strconv.Itoa(videoBitrate), "-fps", strconv.Itoa(frameRate),
		"-packets-per-frame", strconv.Itoa(packetsPerFrame), "-audio",
	}
}

// findScenario returns the scenario of that name, or nil.
func findScenario(name string) *scenario {
	for _, s := range scenarios() {
		if s.name == name {
			return &s
		}
	}
	return nil
}
