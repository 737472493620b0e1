package signalling

import (
	"cmp"
	"time"

	"galene/config"
)

// Limits bounds what one client may make the server hold or do. A field that is
// zero stands for its default. Some of them are the administrator's to choose, see
// [config.Limits].
type Limits struct {
	// MessageBytes is the longest message that a client may send: 1 MiB.
	MessageBytes int64
	// ClientIDBytes is the longest client id: 255.
	ClientIDBytes int
	// StreamIDBytes is the longest stream id or label: 256.
	StreamIDBytes int
	// MessageIDBytes is the longest id or kind of a chat or user message: 255.
	MessageIDBytes int
	// ValueBytes is the longest value of a chat or user message: as long as
	// a message may be.
	ValueBytes int
	// SDPBytes is the longest session description: 128 kB.
	SDPBytes int
	// Streams is how many streams a client may publish at a time: 16.
	Streams int
	// RequestLabels is how many labels a request may have: 256.
	RequestLabels int
	// MessageBurst and MessageRate bound how many messages are read from a
	// client, at once and per second; long messages count several times.
	// Beyond that its messages wait, and after FloodTime of it the client is
	// closed: 1000, 200 and 30 s. A client that starts to receive a hundred
	// streams at once answers with hundreds of messages.
	MessageBurst, MessageRate int
	FloodTime                 time.Duration
	// QueueMessages and QueueBytes bound what waits to be sent to a client,
	// enough for a join into a group of a thousand: 8192 and 16 MiB.
	QueueMessages, QueueBytes int
	// Connections is how many WebSockets there may be from one address: 1024.
	Connections int
	// HTTPSessionsPerGroup and HTTPSessionsPerAddress bound the WHIP and WHEP
	// sessions: 256 and 64. Those of this machine, where there may be a proxy with
	// everybody behind it, are not counted by address.
	HTTPSessionsPerGroup, HTTPSessionsPerAddress int
	// StreamWait is how long a WHEP viewer waits for a stream: 5 s.
	StreamWait time.Duration
	// ConnectWait is how long a WHIP or WHEP session may take until its connection
	// stands: 20 s.
	ConnectWait time.Duration
	// Events bounds how many group events, and how many media events, wait
	// for a session: 8192.
	Events int
}

// Costs and times that are part of the protocol rather than of its limits.
const (
	// costUnit is how many bytes of a message count as one message. A burst of
	// the longest messages, passed on to everybody, leaves others' queues half
	// empty.
	costUnit = 8 << 10
	// refusalCost is how many messages an attempt to join counts as that is
	// refused, and logged.
	refusalCost = 40
	// maxBadAnswers is how many refused answers of one client are logged: it can
	// ask for streams and refuse them all the time.
	maxBadAnswers = 10

	handshakeTimeout = 15 * time.Second       // until the first message
	scanInterval     = 10 * time.Second       // between looks at whether a client lives
	pingAfter        = 20 * time.Second       // of silence
	deadAfter        = 45 * time.Second       // of silence
	writeTimeout     = 500 * time.Millisecond // for one message, and more for a long one
	flushTimeout     = 2 * time.Second        // for all that waits when a session ends
	lingerTimeout    = time.Second            // for the client to answer a close frame
	slowestClient    = 256 << 10              // bytes per second that a client must be able to take
	failureDelay     = 200 * time.Millisecond // before a refusal of credentials
)

// configured replaces what the administrator has chosen.
func (l Limits) configured(c config.Limits) Limits {
	l.MessageBytes = cmp.Or(int64(c.MessageBytes), l.MessageBytes)
	l.ValueBytes = cmp.Or(c.ChatBytes, l.ValueBytes)
	l.SDPBytes = cmp.Or(c.SDPBytes, l.SDPBytes)
	l.Streams = cmp.Or(c.StreamsPerClient, l.Streams)
	l.MessageBurst = cmp.Or(c.MessageBurst, l.MessageBurst)
	l.MessageRate = cmp.Or(c.MessagesPerSecond, l.MessageRate)
	l.Connections = cmp.Or(c.ConnectionsPerAddress, l.Connections)
	return l
}

func (l Limits) withDefaults() Limits {
	l.MessageBytes = cmp.Or(l.MessageBytes, int64(config.Limits{}.WithDefaults().MessageBytes))
	usual := config.Limits{MessageBytes: int(l.MessageBytes)}.WithDefaults()
	l.ClientIDBytes = cmp.Or(l.ClientIDBytes, 255)
	l.StreamIDBytes = cmp.Or(l.StreamIDBytes, 256)
	l.ValueBytes = cmp.Or(l.ValueBytes, usual.ChatBytes)
	l.SDPBytes = cmp.Or(l.SDPBytes, usual.SDPBytes)
	l.Streams = cmp.Or(l.Streams, usual.StreamsPerClient)
	l.RequestLabels = cmp.Or(l.RequestLabels, 256)
	l.MessageBurst = cmp.Or(l.MessageBurst, usual.MessageBurst)
	l.MessageRate = cmp.Or(l.MessageRate, usual.MessagesPerSecond)
	l.FloodTime = cmp.Or(l.FloodTime, 30*time.Second)
	l.QueueMessages = cmp.Or(l.QueueMessages, 8192)
	l.QueueBytes = cmp.Or(l.QueueBytes, max(16<<20, 4*int(l.MessageBytes)))
	l.Connections = cmp.Or(l.Connections, usual.ConnectionsPerAddress)
	l.MessageIDBytes = cmp.Or(l.MessageIDBytes, 255)
	l.HTTPSessionsPerGroup = cmp.Or(l.HTTPSessionsPerGroup, 256)
	l.HTTPSessionsPerAddress = cmp.Or(l.HTTPSessionsPerAddress, 64)
	l.StreamWait = cmp.Or(l.StreamWait, 5*time.Second)
	l.ConnectWait = cmp.Or(l.ConnectWait, 20*time.Second)
	l.Events = cmp.Or(l.Events, 8192)
	return l
}
