package loadtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// Limits of a [Scenario].
const (
	maxGroups      = 1000
	maxClients     = 20000
	maxDown        = 100000
	maxBitrate     = 100_000_000
	maxFrameRate   = 240
	maxFramePacket = 500
	maxVerify      = 1 << 16
	maxChatRate    = 1000
	maxSpan        = 24 * time.Hour
)

// preferredPayload is how many octets of a video packet's payload are used if nothing else is said, and
// maxPayload how many at most.
const (
	preferredPayload = 1150
	maxPayload       = 1200
)

// Scenario says what load to make. The JSON names are those of galenectl's flags.
type Scenario struct {
	URL      string `json:"url"` // of the group, such as https://host:8443/group/test/
	Username string `json:"username"`
	Password string `json:"-"`
	Token    string `json:"-"` // used instead of the password if not empty
	Insecure bool   `json:"insecure"`

	Groups      int     `json:"groups"`      // if more than 1, named after the URL's with -1, -2, … at the end
	Publishers  int     `json:"publishers"`  // in each group
	Subscribers int     `json:"subscribers"` // in each group: clients that only receive
	Meeting     bool    `json:"meeting"`     // publishers receive the others of their group
	Idle        int     `json:"idle"`        // members of the first group that hold no more than a WebSocket
	Chat        float64 `json:"chat"`        // messages per second to all of the first group

	Video            int           `json:"video"` // bit/s of each publisher's video; 0 for none
	FrameRate        int           `json:"fps"`
	PacketsPerFrame  int           `json:"packets-per-frame"` // 0: as many as the bitrate needs
	KeyframeInterval time.Duration `json:"-"`                 // besides those that are asked for
	Audio            bool          `json:"audio"`             // 50 packets of 80 octets per second
	Paced            bool          `json:"paced"`             // spread each frame as browsers do
	Drop             float64       `json:"drop"`              // percent of received video that is dropped on purpose
	NACK             bool          `json:"nack"`              // ask for what is missing
	Verify           int           `json:"verify"`            // one packet in so many is decrypted and checked

	JoinAtOnce bool          `json:"join-at-once"` // instead of 20 at a time
	WarmUp     time.Duration `json:"-"`            // between the first media and measuring
	Duration   time.Duration `json:"-"`            // of measuring
}

// Default returns the scenario that flags start from: nobody, in one group.
func Default() Scenario {
	return Scenario{
		Username: "load-test",
		Groups:   1,
		Video:    1_500_000, FrameRate: 30, KeyframeInterval: 10 * time.Second, Audio: true,
		NACK: true, Verify: 32,
		WarmUp: 3 * time.Second, Duration: 10 * time.Second,
	}
}

// MarshalJSON writes the scenario as flags say it, without secrets.
func (s Scenario) MarshalJSON() ([]byte, error) {
	type fields Scenario
	return json.Marshal(struct {
		fields
		KeyframeInterval string `json:"keyframe-interval"`
		WarmUp           string `json:"warm-up"`
		Duration         string `json:"duration"`
	}{fields(s), s.KeyframeInterval.String(), s.WarmUp.String(), s.Duration.String()})
}

// Validate reports every mistake in s at once, each naming its flag.
func (s *Scenario) Validate() error {
	var errs []error
	within := func(name string, value, low, high float64) {
		if !(value >= low && value <= high) { // not a number is outside
			errs = append(errs, fmt.Errorf("-%s is %v, not between %v and %v", name, value, low, high))
		}
	}
	u, err := url.Parse(s.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		errs = append(errs, fmt.Errorf("%q is not the http or https URL of a group", s.URL))
	}
	within("groups", float64(s.Groups), 1, maxGroups)
	within("publishers", float64(s.Publishers), 0, maxClients)
	within("subscribers", float64(s.Subscribers), 0, maxClients)
	within("idle", float64(s.Idle), 0, maxClients)
	within("chat", s.Chat, 0, maxChatRate)
	within("video", float64(s.Video), 0, maxBitrate)
	within("fps", float64(s.FrameRate), 1, maxFrameRate)
	within("packets-per-frame", float64(s.PacketsPerFrame), 0, maxFramePacket)
	within("keyframe-interval", s.KeyframeInterval.Seconds(), 0.1, maxSpan.Seconds())
	within("drop", s.Drop, 0, 100)
	within("verify", float64(s.Verify), 1, maxVerify)
	within("warm-up", s.WarmUp.Seconds(), 0, maxSpan.Seconds())
	within("duration", s.Duration.Seconds(), 0.1, maxSpan.Seconds())
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return s.validateSums()
}

// validateSums checks what several flags make together; each of them is within its limits.
func (s *Scenario) validateSums() error {
	var errs []error
	if s.clients() == 0 {
		errs = append(errs, errors.New("nobody is to join: give -publishers, -subscribers or -idle"))
	}
	if n := s.clients(); n > maxClients {
		errs = append(errs, fmt.Errorf("%d clients are more than %d", n, maxClients))
	}
	if n := s.downConnections(); n > maxDown {
		errs = append(errs, fmt.Errorf("%d streams to receive are more than %d", n, maxDown))
	}
	if s.Publishers > 0 && s.Video == 0 && !s.Audio {
		errs = append(errs, errors.New("publishers have neither video nor audio to send"))
	}
	if s.Chat > 0 && s.Publishers+s.Subscribers+s.Idle < 2 {
		errs = append(errs, errors.New("-chat needs at least two clients in the first group"))
	}
	if packets, size := s.frame(); s.Video > 0 && size > maxPayload || packets > maxFramePacket {
		errs = append(errs, fmt.Errorf("%d packets of %d octets for each frame: change -video, -fps or -packets-per-frame", packets, size))
	}
	return errors.Join(errs...)
}

// members is how many clients each group has, without idle ones.
func (s *Scenario) members() int { return s.Publishers + s.Subscribers }

// clients is how many clients there are.
func (s *Scenario) clients() int { return s.Groups*s.members() + s.Idle }

// downConnections is how many streams clients are to receive.
func (s *Scenario) downConnections() int {
	each := s.Publishers * s.Subscribers
	if s.Meeting && s.Publishers > 0 {
		each += s.Publishers * (s.Publishers - 1)
	}
	return s.Groups * each
}

// frame is how many packets a video frame has, and how many octets of payload each of them.
func (s *Scenario) frame() (packets, size int) {
	octets := s.Video / 8 / s.FrameRate
	packets = s.PacketsPerFrame
	if packets == 0 {
		packets = max(1, (octets+preferredPayload-1)/preferredPayload)
	}
	return packets, max(octets/packets, minVideoPayload)
}
