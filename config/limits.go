package config

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Limits is the field "limits" of config.json: what one client may make the
// server hold or do. A field that is zero stands for its default, which
// [Limits.WithDefaults] has.
type Limits struct {
	// MessagesPerSecond and MessageBurst bound how many messages are read from
	// a client: 200 a second, 1000 at once. Work and length make some count
	// several times.
	MessagesPerSecond int `json:"messagesPerSecond,omitempty"`
	MessageBurst      int `json:"messageBurst,omitempty"`
	// MessageBytes is the longest message of the protocol: 1 MiB.
	MessageBytes int `json:"messageBytes,omitempty"`
	// ChatBytes is the longest value of a chat or user message: as long as a
	// message.
	ChatBytes int `json:"chatBytes,omitempty"`
	// HistoryMessages and HistoryBytes bound the chat history of a group: 50
	// messages, 4 MiB.
	HistoryMessages int `json:"historyMessages,omitempty"`
	HistoryBytes    int `json:"historyBytes,omitempty"`
	// GroupDataBytes and UserDataBytes bound what clients store with a group,
	// 256 kB, and with themselves, 16 kB.
	GroupDataBytes int `json:"groupDataBytes,omitempty"`
	UserDataBytes  int `json:"userDataBytes,omitempty"`
	// StreamsPerClient is how many streams a client may publish at a time: 16.
	StreamsPerClient int `json:"streamsPerClient,omitempty"`
	// SDPBytes is the longest session description: 128 kB.
	SDPBytes int `json:"sdpBytes,omitempty"`
	// ConnectionsPerAddress is how many WebSockets may be open to one IPv4
	// address or IPv6 /64 prefix: 1024. It does not apply to the loopback
	// addresses, where a reverse proxy may be.
	ConnectionsPerAddress int `json:"connectionsPerAddress,omitempty"`
}

// maxLimit is the largest value of a limit; whoever wants none cannot mean more.
const maxLimit = 1 << 30

// leastMessageBytes is the shortest limit with which clients can work.
const leastMessageBytes = 4 << 10

// WithDefaults replaces fields that are zero.
func (l Limits) WithDefaults() Limits {
	l.MessagesPerSecond = cmp.Or(l.MessagesPerSecond, 200)
	l.MessageBurst = cmp.Or(l.MessageBurst, 1000)
	l.MessageBytes = cmp.Or(l.MessageBytes, 1<<20)
	l.ChatBytes = cmp.Or(l.ChatBytes, l.MessageBytes)
	l.HistoryMessages = cmp.Or(l.HistoryMessages, 50)
	l.HistoryBytes = cmp.Or(l.HistoryBytes, 4<<20)
	l.GroupDataBytes = cmp.Or(l.GroupDataBytes, 256<<10)
	l.UserDataBytes = cmp.Or(l.UserDataBytes, 16<<10)
	l.StreamsPerClient = cmp.Or(l.StreamsPerClient, 16)
	l.SDPBytes = cmp.Or(l.SDPBytes, 128<<10)
	l.ConnectionsPerAddress = cmp.Or(l.ConnectionsPerAddress, 1024)
	return l
}

// validate reports every limit that cannot be used.
func (l Limits) validate() error {
	var errs []error
	v := reflect.ValueOf(l)
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if n := v.Field(i).Int(); n < 0 || n > maxLimit {
			errs = append(errs, fmt.Errorf("field \"limits.%s\": not between 0 and %d", name, maxLimit))
		}
	}
	if l.MessageBytes > 0 && l.MessageBytes < leastMessageBytes {
		errs = append(errs, fmt.Errorf("field \"limits.messageBytes\": less than %d", leastMessageBytes))
	}
	return errors.Join(errs...)
}
