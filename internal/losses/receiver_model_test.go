package losses

import (
	"slices"
	"testing"
	"time"

	"galene/internal/testkit"
)

const ms = time.Millisecond

// model is a receiver with a source of what it receives, of three packets a frame.
type model struct {
	*receiver

	source *testkit.Source
}

func newModel() *model {
	return &model{
		newReceiver(testkit.VP8, framePackets),
		testkit.NewSource(testkit.SourceOptions{Packets: framePackets, Sequence: 65534}),
	}
}

// play receives the next frame but for the packets that are left out, and returns those.
func (m *model) play(now time.Duration, keyframe bool, leftOut ...int) (lost []func(now time.Duration)) {
	if keyframe {
		m.source.RequestKeyframe()
	}
	for i, p := range m.source.Next() {
		take := func(now time.Duration) { m.receive(p.SequenceNumber, p.Payload, now) }
		if slices.Contains(leftOut, i) {
			lost = append(lost, take)
			continue
		}
		take(now)
	}
	return lost
}

// wantDecoded fails the test unless these frames have been decoded, at these times.
func (m *model) wantDecoded(t *testing.T, want map[uint32]time.Duration) {
	t.Helper()
	for n := range uint32(20) {
		got, ok := m.at[n]
		at, wanted := want[n]
		if ok != wanted || got != at {
			t.Errorf("frame %d was decoded at %v, %v; want %v, %v", n, got, ok, at, wanted)
		}
	}
}

func TestReceiverDecodesInOrder(t *testing.T) {
	t.Parallel()
	m := newModel()
	m.play(0, true)
	lost := m.play(30*ms, false, 1)
	m.play(60*ms, false)
	lost[0](100 * ms)
	m.play(120*ms, false)
	m.wantDecoded(t, map[uint32]time.Duration{0: 0, 1: 100 * ms, 2: 100 * ms, 3: 120 * ms})
	o := m.outcome(0, []time.Duration{0, 30 * ms, 60 * ms, 90 * ms}, 60*ms)
	if o.inTime != 3 || o.late != 1 || o.longest != 100*ms {
		t.Errorf("outcome %+v, want 3 in time, 1 late, 100 ms without a frame", o)
	}
}

func TestReceiverGoesOnAtAKeyframe(t *testing.T) {
	t.Parallel()
	m := newModel()
	m.play(0, true)
	lost := m.play(30*ms, false, 0, 2)
	m.play(60*ms, false)
	m.play(90*ms, true)
	m.play(120*ms, false)
	lost[0](130 * ms)
	lost[1](130 * ms) // too late
	m.wantDecoded(t, map[uint32]time.Duration{0: 0, 3: 90 * ms, 4: 120 * ms})
	if packets, _ := m.due(140 * ms); len(packets) != 0 {
		t.Errorf("packets %v are asked for, which are of no use", packets)
	}
}

func TestReceiverAsksForWhatIsMissing(t *testing.T) {
	t.Parallel()
	m := newModel()
	m.play(0, true)
	lost := m.play(30*ms, false, 0, 1) // numbers 1 and 2
	steps := []struct {
		at       time.Duration
		packets  []uint16
		keyframe bool
	}{
		{31 * ms, []uint16{1, 2}, false},
		{130 * ms, nil, false},
		{131 * ms, []uint16{1, 2}, false},
		{3000 * ms, []uint16{2}, false}, // by then the first one has come
		{3001 * ms, nil, true},
		{3100 * ms, []uint16{2}, false},
		{4000 * ms, []uint16{2}, false},
		{4002 * ms, nil, true},
	}
	for i, step := range steps {
		if i == 3 {
			lost[0](200 * ms)
		}
		packets, keyframe := m.due(step.at)
		if !slices.Equal(packets, step.packets) || keyframe != step.keyframe {
			t.Errorf("at %v, %v and a keyframe: %v are asked for, want %v and %v", step.at, packets, keyframe, step.packets, step.keyframe)
		}
	}
	for at := 5 * time.Second; at < 7*time.Second; at += 100 * ms {
		m.due(at)
	}
	if m.requested != 2+2+nackTries-2 || len(m.missing) != 0 {
		t.Errorf("%d packets were asked for, want each %d times at most", m.requested, nackTries)
	}
	o := m.outcome(0, []time.Duration{0}, 0)
	if got := o.recovery(50); got != 170*ms {
		t.Errorf("a packet was recovered after %v, want 170 ms", got)
	}
}

func TestReceiverOfAudioNeedsNoOrder(t *testing.T) {
	t.Parallel()
	r := newReceiver(testkit.Opus, 1)
	source := testkit.NewSource(testkit.SourceOptions{Codec: testkit.Opus})
	for i := range time.Duration(5) {
		p := source.Next()[0]
		if i != 2 {
			r.receive(p.SequenceNumber, p.Payload, i*20*ms)
		}
	}
	if o := r.outcome(0, make([]time.Duration, 5), time.Second); o.inTime != 4 || o.longest != 40*ms {
		t.Errorf("outcome %+v, want 4 frames in time, and none for 40 ms", o)
	}
	if _, keyframe := r.due(time.Hour); keyframe {
		t.Error("a keyframe is asked for of audio")
	}
}

func TestReceiverTellsDamage(t *testing.T) {
	t.Parallel()
	m := newModel()
	p := m.source.Next()[0]
	p.Payload[len(p.Payload)-30]++
	m.receive(p.SequenceNumber, p.Payload, 0)
	if m.damaged != 1 {
		t.Errorf("%d packets are damaged, want 1", m.damaged)
	}
}

func TestMeterTellsWhatIsSentAgain(t *testing.T) {
	t.Parallel()
	var m meter
	packet := func(ssrc, sequence byte, size int) []byte {
		b := make([]byte, size)
		b[0], b[1], b[3], b[11] = 0x80, 96, sequence, ssrc
		return b
	}
	for sequence := range byte(100) {
		m.see(packet(1, sequence, 100))
		if sequence%10 == 0 {
			m.see(packet(1, sequence, 100))
			m.see(packet(2, sequence, 50))
		}
	}
	rtcp := packet(1, 200, 100)
	rtcp[1] = 200
	m.see(rtcp)
	m.see([]byte{0x80, 96})
	if got := m.overhead(1, 2); got != 15 {
		t.Errorf("%v %% was sent again, want 15", got)
	}
	if media, again := m.packets(1, 0); media != 100 || again != 10 {
		t.Errorf("%d packets, and %d again; want 100 and 10", media, again)
	}
	m.forget()
	if got := m.overhead(1, 2); got != 0 {
		t.Errorf("%v %% was sent again before anything was sent", got)
	}
}
