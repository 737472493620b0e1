package loadtest

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

// valid returns a scenario without mistakes.
func valid() Scenario {
	s := Default()
	s.URL = "https://localhost:8443/group/test/"
	s.Publishers, s.Subscribers = 1, 2
	return s
}

func TestValidateFindsEachMistake(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		edit func(s *Scenario)
		want string // part of the error; "" if there is none
	}{
		{"a lecture", func(*Scenario) {}, ""},
		{"a meeting", func(s *Scenario) { s.Publishers, s.Subscribers, s.Meeting = 8, 0, true }, ""},
		{"idle clients that chat", func(s *Scenario) { s.Publishers, s.Subscribers, s.Idle, s.Chat = 0, 0, 10, 0.5 }, ""},
		{"sound only", func(s *Scenario) { s.Video = 0 }, ""},
		{"no URL", func(s *Scenario) { s.URL = "" }, "URL"},
		{"a URL of another kind", func(s *Scenario) { s.URL = "wss://localhost/ws" }, "URL"},
		{"a URL without a host", func(s *Scenario) { s.URL = "https:///group/test/" }, "URL"},
		{"no group", func(s *Scenario) { s.Groups = 0 }, "-groups"},
		{"too many groups", func(s *Scenario) { s.Groups = maxGroups + 1 }, "-groups"},
		{"less than nobody", func(s *Scenario) { s.Subscribers = -1 }, "-subscribers"},
		{"nobody", func(s *Scenario) { s.Publishers, s.Subscribers = 0, 0 }, "nobody"},
		{"too many clients in all", func(s *Scenario) { s.Groups, s.Subscribers = 1000, 1000 }, "clients"},
		{"too many streams in all", func(s *Scenario) { s.Publishers, s.Meeting = 1000, true }, "streams"},
		{"nothing to send", func(s *Scenario) { s.Video, s.Audio = 0, false }, "neither"},
		{"nothing to send, nobody to send it", func(s *Scenario) { s.Publishers, s.Video, s.Audio = 0, 0, false }, ""},
		{"nobody to chat with", func(s *Scenario) { s.Publishers, s.Subscribers, s.Chat = 1, 0, 1 }, "-chat"},
		{"a rate that is no number", func(s *Scenario) { s.Chat = math.NaN() }, "-chat"},
		{"packets too large", func(s *Scenario) { s.PacketsPerFrame = 1 }, "-packets-per-frame"},
		{"too many packets", func(s *Scenario) { s.Video, s.FrameRate = maxBitrate, 1 }, "packets"},
		{"more than everything dropped", func(s *Scenario) { s.Drop = 101 }, "-drop"},
		{"nothing verified", func(s *Scenario) { s.Verify = 0 }, "-verify"},
		{"no time to measure", func(s *Scenario) { s.Duration = 0 }, "-duration"},
		{"two mistakes", func(s *Scenario) { s.Verify, s.FrameRate = 0, 0 }, "-fps"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := valid()
			tt.edit(&s)
			err := s.Validate()
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("Validate() of %+v = %v", s, err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("Validate() of %+v = %v, want an error about %s", s, err, tt.want)
			}
		})
	}
}

func TestFramesFollowTheBitrate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name                string
		video, rate, forced int
		packets, size       int
	}{
		{"as bitrate needs", 1_500_000, 30, 0, 6, 1041},
		{"one packet", 200_000, 30, 0, 1, 833},
		{"as many as asked for", 1_500_000, 30, 10, 10, 625},
		{"never too small for the content", 8, 30, 0, 1, minVideoPayload},
	}
	for _, tt := range tests {
		s := Scenario{Video: tt.video, FrameRate: tt.rate, PacketsPerFrame: tt.forced}
		if packets, size := s.frame(); packets != tt.packets || size != tt.size {
			t.Errorf("%s: frame() of %d bit/s at %d/s = %d packets of %d, want %d of %d",
				tt.name, tt.video, tt.rate, packets, size, tt.packets, tt.size)
		}
	}
}

func TestDownConnectionsAreCounted(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name                            string
		groups, publishers, subscribers int
		meeting                         bool
		want                            int
	}{
		{"lecture", 1, 1, 50, false, 50},
		{"meeting", 1, 8, 0, true, 56},
		{"meeting with listeners", 1, 3, 2, true, 12},
		{"rooms", 20, 1, 2, false, 40},
		{"nobody publishes", 1, 0, 5, true, 0},
	}
	for _, tt := range tests {
		s := Scenario{Groups: tt.groups, Publishers: tt.publishers, Subscribers: tt.subscribers, Meeting: tt.meeting}
		if got := s.downConnections(); got != tt.want {
			t.Errorf("%s: downConnections() = %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestScenarioInJSONHasFlagsAndNoSecrets(t *testing.T) {
	t.Parallel()
	s := valid()
	s.Password, s.Token, s.WarmUp = "sesame", "secret", 1500*time.Millisecond
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{s.Password, s.Token} {
		if strings.Contains(string(b), secret) {
			t.Errorf("%s contains %q", b, secret)
		}
	}
	for _, part := range []string{`"warm-up":"1.5s"`, `"packets-per-frame":0`, `"join-at-once":false`, `"nack":true`} {
		if !strings.Contains(string(b), part) {
			t.Errorf("%s lacks %s", b, part)
		}
	}
}
