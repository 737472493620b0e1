package rtpconn

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"galene/codecs"
	"galene/conn"
	"galene/packetcache"
	"galene/rtptime"
	"galene/udpsocket"
)

// checkNumbering fails unless the packets' numbers are contiguous but for holes.
func checkNumbering(t *testing.T, packets []rtp.Packet, want []byte) {
	t.Helper()
	if got := numbers(packets); !bytes.Equal(got, want) {
		t.Fatalf("sent %v, want %v", got, want)
	}
	for i := 1; i < len(packets); i++ {
		if packets[i].SequenceNumber != packets[i-1].SequenceNumber+1 {
			t.Fatalf("packet %d has number %d after %d", i, packets[i].SequenceNumber, packets[i-1].SequenceNumber)
		}
	}
}

func TestVideoBeginsWithAKeyframeAndAudioAtOnce(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"vp8", "opus"} {
		source := newFakeTrack(t, name)
		source.gop = false
		out := &recordingEgress{}
		d := newBareTrack(t, source, out)
		source.deliver(source.packet(9, 9, true)) // nobody is attached
		d.attach()
		d.attach()
		for n := range byte(5) {
			source.deliver(source.packet(10+int64(n), n, n == 2))
		}
		want := []byte{2, 3, 4}
		asked := 1
		if name == "opus" {
			want, asked = []byte{0, 1, 2, 3, 4}, 0
		}
		packets := out.take()
		checkNumbering(t, packets, want)
		if source.asked() != asked {
			t.Errorf("%s: a keyframe was asked for %d times, want %d", name, source.asked(), asked)
		}
		if h := packets[0].Header; h.SSRC != 1234 || h.PayloadType != d.format.PayloadType || !h.Marker || h.SequenceNumber >= 1<<15 {
			t.Errorf("%s: header %+v", name, h)
		}
	}
}

func TestKeyframeIsAskedForBeforeTheConnectionStands(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		what   string
		codec  string
		cached bool // a group of pictures to start from
		live   bool // the track has started already
		want   int
	}{
		{"video without a keyframe to start from", "vp8", false, false, 1},
		{"video that can start from the cache", "vp8", true, false, 0},
		{"video that has started", "vp8", false, true, 0},
		{"audio", "opus", false, false, 0},
	} {
		source := newFakeTrack(t, tt.codec)
		d := newBareTrack(t, source, &recordingEgress{})
		source.deliver(source.packet(10, 0, true))
		if tt.live {
			d.attach()
		}
		source.gop = tt.cached
		d.prime()
		if got := source.asked(); got != tt.want {
			t.Errorf("%s: a keyframe was asked for %d times, want %d", tt.what, got, tt.want)
		}
	}
}

func TestLatePacketsFillTheirHoles(t *testing.T) {
	t.Parallel()
	source := newFakeTrack(t, "vp8")
	out := &recordingEgress{}
	d := newBareTrack(t, source, out)
	source.gop = false
	d.attach()
	for _, sequence := range []int64{10, 11, 14, 12, 15, 13, 13} {
		p := source.packet(sequence, byte(sequence), sequence == 10)
		source.deliver(p)
	}
	packets := out.take()
	first := packets[0].SequenceNumber
	for _, p := range packets {
		if got, want := p.SequenceNumber-first, uint16(p.Payload[0])-10; got != want {
			t.Errorf("packet %d has number %d from the first, want %d", p.Payload[0], got, want)
		}
	}
}

func TestLatePaddingFillsAHoleThatTheSubscriberHasSeen(t *testing.T) {
	t.Parallel()
	source := newFakeTrack(t, "vp8")
	source.gop = false
	out := &recordingEgress{}
	d := newBareTrack(t, source, out)
	d.attach()
	padding := func(sequence int64) conn.Packet {
		p := source.packet(sequence, 0, false)
		p.PaddingOnly, p.Payload, p.Frame = true, nil, codecs.Frame{}
		return p
	}
	source.deliver(source.packet(10, 1, true))
	source.deliver(padding(11))
	source.deliver(source.packet(12, 2, false))
	checkNumbering(t, out.take(), []byte{1, 2})

	source.deliver(source.packet(14, 4, false)) // 13 is missing
	source.deliver(padding(13))
	source.deliver(padding(13))
	source.deliver(source.packet(15, 5, false))
	packets := out.take()
	if got := numbers(packets); !bytes.Equal(got, []byte{4, 0, 5}) {
		t.Fatalf("sent %v, want 4, padding, 5", got)
	}
	if p := packets[1]; !p.Padding || p.Header.PaddingSize != 1 || p.SequenceNumber != packets[0].SequenceNumber-1 || p.Marker {
		t.Errorf("padding %+v after %+v", p.Header, packets[0].Header)
	}
	if p := packets[2]; p.Padding || p.Header.PaddingSize != 0 || p.SequenceNumber != packets[0].SequenceNumber+1 {
		t.Errorf("the next packet is %+v", p.Header)
	}
}

func TestNewcomerCatchesUpWithoutDuplicatesOrGaps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := newFakeTrack(t, "vp8")
		out := &recordingEgress{}
		sequence := int64(65530)
		frame := func(keyframe bool) {
			source.deliver(source.packet(sequence, byte(sequence), keyframe))
			sequence++
			time.Sleep(10 * time.Millisecond)
		}
		for range 20 {
			frame(false)
		}
		first := sequence
		for i := range 50 {
			frame(i == 0)
		}
		d := newBareTrack(t, source, out)
		d.attach()
		// What came in half a second is not sent at once, but at twice the pace.
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		early := len(out.take())
		if early < 15 || early > 25 {
			t.Errorf("%d packets within 100 ms, want about 20", early)
		}
		for range 100 {
			frame(false)
		}
		synctest.Wait()
		if d.state != live {
			t.Fatalf("state %d after a second, want live", d.state)
		}
		packets := out.take()
		if want := int(sequence-first) - early; len(packets) != want {
			t.Fatalf("%d packets, want %d", len(packets), want)
		}
		for i, p := range packets {
			if want := byte(first + int64(early+i)); p.Payload[0] != want || p.SequenceNumber != packets[0].SequenceNumber+uint16(i) {
				t.Fatalf("packet %d is %d with number %d, want %d, %d", i, p.Payload[0], p.SequenceNumber, want, packets[0].SequenceNumber+uint16(i))
			}
		}
		if source.asked() != 0 {
			t.Errorf("a keyframe was asked for")
		}
		d.down.refuse()
		d.down.wg.Wait()
	})
}

func TestCatchingUpSurvivesConcurrentPackets(t *testing.T) {
	t.Parallel()
	for range 30 {
		source := newFakeTrack(t, "vp8")
		out := &recordingEgress{}
		const count = 200
		for sequence := int64(100); sequence < 150; sequence++ {
			source.store(source.packet(sequence, byte(sequence), sequence == 100))
		}
		d := newBareTrack(t, source, out)
		var wg sync.WaitGroup
		wg.Go(func() {
			for sequence := int64(150); sequence < 100+count; sequence++ {
				source.deliver(source.packet(sequence, byte(sequence), false))
			}
		})
		d.attach()
		wg.Wait()
		eventually(t, "everything is sent", func() bool {
			out.mu.Lock()
			defer out.mu.Unlock()
			return len(out.packets) >= count
		})
		want := make([]byte, count)
		for i := range want {
			want[i] = byte(100 + i)
		}
		checkNumbering(t, out.take(), want)
	}
}

func TestPacketsMissingWhileCatchingUpComeLate(t *testing.T) {
	t.Parallel()
	source := newFakeTrack(t, "vp8")
	out := &recordingEgress{}
	for sequence := int64(10); sequence < 13; sequence++ {
		source.store(source.packet(sequence, byte(sequence), sequence == 10))
	}
	d := newBareTrack(t, source, out)
	d.mu.Lock()
	d.join(d.current)
	d.mu.Unlock()
	source.store(source.packet(15, 15, false)) // 13 and 14 are missing
	if err := source.AddSink(d.current); err != nil {
		t.Fatal(err)
	}
	d.catchUp(d.current)
	if d.state != live {
		t.Fatalf("state %d, want live", d.state)
	}
	source.deliver(source.packet(12, 12, false)) // a duplicate
	source.deliver(source.packet(14, 14, false))
	source.deliver(source.packet(16, 16, false))
	source.deliver(source.packet(13, 13, false))
	packets := out.take()
	if got, want := numbers(packets), []byte{10, 11, 12, 15, 14, 16, 13}; !bytes.Equal(got, want) {
		t.Fatalf("sent %v, want %v", got, want)
	}
	for _, p := range packets {
		if got := p.SequenceNumber - packets[0].SequenceNumber; got != uint16(p.Payload[0])-10 {
			t.Errorf("packet %d has number %d from the first", p.Payload[0], got)
		}
	}
}

func TestNewcomersAreSentTogetherWhatCameTogether(t *testing.T) {
	t.Parallel()
	source := newFakeTrack(t, "vp8")
	out := &recordingEgress{}
	begun := rtptime.Now().Add(-time.Second)
	arrivals := []time.Duration{0, 0, 1, 40, 41, 49, 49, 100, 101} // milliseconds
	for i, at := range arrivals {
		p := source.packet(int64(10+i), byte(10+i), i == 0)
		p.Arrival = begun.Add(at * time.Millisecond)
		source.store(p)
	}
	d := newBareTrack(t, source, out)
	d.mu.Lock()
	d.join(d.current)
	d.mu.Unlock()

	now := rtptime.Now()
	r := &replay{track: d, from: d.current, begun: now, waited: -1}
	for _, want := range []struct {
		numbers []byte
		passed  time.Duration // since the burst before
	}{
		{[]byte{10, 11, 12}, 0},
		{[]byte{13, 14, 15, 16}, 20 * time.Millisecond},
		{[]byte{17, 18}, 30 * time.Millisecond},
	} {
		now = now.Add(want.passed)
		pause, more := r.burst(now, nil)
		if got := numbers(out.take()); !bytes.Equal(got, want.numbers) || !more {
			t.Errorf("sent %v, more: %v; want %v, true", got, more, want.numbers)
		}
		if last := want.numbers[len(want.numbers)-1] == 18; last != (pause == 0) {
			t.Errorf("a pause of %v after %v", pause, want.numbers)
		}
		if d.state != catchingUp {
			t.Fatalf("state %d before all that was gathered has left", d.state)
		}
	}
	if _, more := r.burst(now, nil); more || d.state != live {
		t.Errorf("more is to come: %v, state %d; want false, live", more, d.state)
	}
}

func TestTooMuchMissingWhileCatchingUpTakesAKeyframe(t *testing.T) {
	t.Parallel()
	source := newFakeTrack(t, "vp8")
	out := &recordingEgress{}
	source.store(source.packet(10, 1, true))
	d := newBareTrack(t, source, out)
	d.mu.Lock()
	d.join(d.current)
	d.mu.Unlock()
	source.store(source.packet(11+maxMissed+10, 9, false))
	if err := source.AddSink(d.current); err != nil {
		t.Fatal(err)
	}
	d.catchUp(d.current)
	if d.state != waiting || source.asked() != 1 {
		t.Fatalf("state %d, asked %d times, want waiting and once", d.state, source.asked())
	}
	source.deliver(source.packet(100, 2, false))
	source.deliver(source.packet(101, 3, true))
	source.deliver(source.packet(102, 4, false))
	packets := out.take()
	if got := numbers(packets); !bytes.Equal(got, []byte{1, 3, 4}) {
		t.Fatalf("sent %v, want 1, 3, 4", got)
	}
	if packets[2].SequenceNumber != packets[1].SequenceNumber+1 {
		t.Errorf("numbers %d, %d after the keyframe", packets[1].SequenceNumber, packets[2].SequenceNumber)
	}
}

func TestPacketsOverwrittenWhileCatchingUpTakeAKeyframe(t *testing.T) {
	t.Parallel()
	source := newFakeTrack(t, "vp8")
	source.cache = packetcache.New[packetMeta](32, maxPacket)
	out := &recordingEgress{}
	for sequence := int64(10); sequence < 24; sequence++ {
		source.store(source.packet(sequence, byte(sequence), sequence == 10))
	}
	d := newBareTrack(t, source, out)
	d.mu.Lock()
	d.join(d.current)
	d.mu.Unlock()
	source.cache.Resize(8) // which forgets the first ones
	if err := source.AddSink(d.current); err != nil {
		t.Fatal(err)
	}
	d.catchUp(d.current)
	if d.state != waiting || source.asked() != 1 {
		t.Fatalf("state %d, asked %d times, want waiting and once", d.state, source.asked())
	}
	source.deliver(source.packet(30, 30, false))
	source.deliver(source.packet(31, 31, true))
	if got := numbers(out.take()); !bytes.Equal(got, []byte{31}) {
		t.Fatalf("sent %v, want 31", got)
	}
}

func TestTimestampsContinueWhenTheSourceChanges(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		elapsed       time.Duration // between the old source's last packet and the new one's first
		before, after uint32        // the clocks at the change, 0 if not known
		first         uint32        // the new source's timestamp
		want          uint32        // from the last one sent
	}{
		{"by the time that has passed", 40 * time.Millisecond, 0, 0, 777, 3600},
		{"across the end of the range", 40 * time.Millisecond, 0, 0, 1<<32 - 5, 3600},
		{"by the publisher's clocks", 40 * time.Millisecond, 1_000_000 + 3000, 50_000, 50_000, 3000},
		{"not by clocks that are wrong", 40 * time.Millisecond, 9_000_000, 50_000, 50_000, 3600},
		{"never back", 40 * time.Millisecond, 1_000_000 - 9000, 50_000, 50_000, 900},
		{"nor at a standstill", 0, 0, 0, 777, 900},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			old, next := newFakeTrack(t, "vp8"), newFakeTrack(t, "vp8")
			old.gop = false
			out := &recordingEgress{}
			d := newBareTrack(t, old, out)
			d.attach()
			last := old.packet(10, 1, true)
			last.Timestamp = 1_000_000
			old.deliver(last)
			if tt.before != 0 {
				old.clock = func(rtptime.Instant) (uint32, bool) { return tt.before, true }
				next.clock = func(rtptime.Instant) (uint32, bool) { return tt.after, true }
			}
			if gone := d.swap(conn.Selection{Track: next}); len(gone) != 0 {
				t.Fatalf("%d feeds to remove before the change", len(gone))
			}
			first := next.packet(5000, 2, true)
			first.Timestamp, first.Arrival = tt.first, last.Arrival.Add(tt.elapsed)
			next.deliver(first)
			packets := out.take()
			checkNumbering(t, packets, []byte{1, 2})
			if got := packets[1].Timestamp - packets[0].Timestamp; got != tt.want {
				t.Errorf("the timestamp moves by %d, want %d", got, tt.want)
			}
			if f := d.takeStale(); f == nil || f.track != conn.UpTrack(old) {
				t.Errorf("stale feed %v, want that of the old source", f)
			}
		})
	}
}

func TestSwapsMayBeTakenBack(t *testing.T) {
	t.Parallel()
	a, b, c := newFakeTrack(t, "vp8"), newFakeTrack(t, "vp8"), newFakeTrack(t, "vp8")
	a.gop = false
	out := &recordingEgress{}
	d := newBareTrack(t, a, out)
	d.attach()
	a.deliver(a.packet(1, 1, true))
	remove(d.swap(conn.Selection{Track: b}))
	if b.asked() != 1 || b.sinks.empty() {
		t.Fatalf("the target was asked %d times", b.asked())
	}
	remove(d.swap(conn.Selection{Track: c}))
	if !b.sinks.empty() || c.sinks.empty() {
		t.Fatal("the former target is still listened to")
	}
	remove(d.swap(conn.Selection{Track: a}))
	if !c.sinks.empty() || a.sinks.empty() {
		t.Fatal("the target taken back is still listened to")
	}
	c.deliver(c.packet(7, 7, true))
	a.deliver(a.packet(2, 2, false))
	checkNumbering(t, out.take(), []byte{1, 2})
	if d.current.track != conn.UpTrack(a) {
		t.Error("the source is not the first one")
	}
}

func TestRetransmissionFindsItsSource(t *testing.T) {
	t.Parallel()
	a, b := newFakeTrack(t, "vp8"), newFakeTrack(t, "vp8")
	a.gop = false
	out := &recordingEgress{}
	d := newBareTrack(t, a, out)
	d.attach()
	for n := range byte(10) {
		a.deliver(a.packet(100+int64(n), 1+n, n == 0))
	}
	remove(d.swap(conn.Selection{Track: b}))
	for n := range byte(10) {
		b.deliver(b.packet(7000+int64(n), 101+n, n == 0))
	}
	sent := out.take()
	if len(sent) != 20 {
		t.Fatalf("%d packets, want 20", len(sent))
	}
	buffer := make([]byte, maxPacket)
	for i, p := range sent {
		d.resend(p.SequenceNumber, epoch, buffer, nil)
		again := out.take()
		if len(again) != 1 || fmt.Sprint(again[0]) != fmt.Sprint(p) {
			t.Errorf("packet %d: resent %v, want %v", i, again, p)
		}
		d.resend(p.SequenceNumber, epoch.Add(minResendSpacing-1), buffer, nil)
		if again := out.take(); len(again) != 0 {
			t.Errorf("packet %d was resent again at once", i)
		}
	}
	// Something that was sent but is cached no more is asked for upstream.
	b.cache.Resize(1)
	d.resend(sent[15].SequenceNumber, epoch.Add(time.Second), buffer, nil)
	if len(b.wanted) != 1 || b.wanted[0] != 7005 || len(out.take()) != 0 {
		t.Errorf("wanted %v, want 7005", b.wanted)
	}
}

func TestOneMessageCausesABoundedNumberOfRetransmissions(t *testing.T) {
	t.Parallel()
	source := newFakeTrack(t, "vp8")
	source.cache.Resize(1024)
	source.gop = false
	out := &recordingEgress{}
	d := newBareTrack(t, source, out)
	d.attach()
	for n := range int64(1000) {
		source.deliver(source.packet(n+1, byte(n), n == 0))
	}
	first := out.take()[0].SequenceNumber
	var pairs []rtcp.NackPair
	for n := uint16(0); n < 1000; n += 17 {
		pairs = append(pairs, rtcp.NackPair{PacketID: first + n, LostPackets: 0xffff})
	}
	d.resendAll(pairs, epoch)
	if got := len(out.take()); got > maxResendBatch || got < maxResendBatch-17 {
		t.Errorf("%d retransmissions, want at most %d", got, maxResendBatch)
	}
}

func TestLowestLayerAlone(t *testing.T) {
	t.Parallel()
	source := newFakeTrack(t, "vp9")
	source.gop = false
	out := &recordingEgress{}
	d := newBareTrack(t, source, out)
	d.attach()
	sequence := int64(10)
	// A picture is two packets, one of each spatial layer.
	picture := func(keyframe bool) {
		for sid := range uint8(2) {
			p := source.packet(sequence, byte(sequence), keyframe && sid == 0)
			p.Frame.SpatialID, p.Marker = sid, sid == 1
			p.Frame.InterPicture, p.Timestamp = !keyframe, uint32(sequence-sequence%2)*3000
			source.deliver(p)
			sequence++
		}
	}
	picture(true)
	picture(false)
	checkNumbering(t, out.take(), []byte{10, 11, 12, 13})

	remove(d.swap(conn.Selection{Track: source, LowestLayer: true}))
	picture(false) // at once: nothing of the lower layer is missing
	picture(true)
	picture(false)
	packets := out.take()
	checkNumbering(t, packets, []byte{14, 16, 18})
	for _, p := range packets {
		if !p.Marker {
			t.Errorf("packet %d ends its picture without a marker", p.Payload[0])
		}
	}
	buffer := make([]byte, maxPacket)
	for _, p := range packets {
		d.resend(p.SequenceNumber, epoch, buffer, nil)
		if again := out.take(); len(again) != 1 || fmt.Sprint(again[0]) != fmt.Sprint(p) {
			t.Errorf("resent %v, want %v", again, p)
		}
	}
	remove(d.swap(conn.Selection{Track: source}))
	asked := source.asked()
	picture(false) // the lower layer until the keyframe
	remove(d.adapt(rtptime.Now()))
	if source.asked() != asked+1 {
		t.Errorf("a keyframe was asked for %d times, want once", source.asked()-asked)
	}
	picture(true)
	checkNumbering(t, out.take(), []byte{20, 22, 23})
}

func TestPacketsOfAnotherCodecAreNotForwarded(t *testing.T) {
	t.Parallel()
	source := newFakeTrack(t, "vp8")
	source.gop = false
	out := &recordingEgress{}
	d := newBareTrack(t, source, out)
	d.attach()
	source.deliver(source.packet(1, 1, true))
	vp8 := source.format
	source.format, _ = codecs.ForDown("video/H264", 90000, 0, "")
	source.deliver(source.packet(2, 2, true))
	// The same codec under another payload type goes on, from a keyframe.
	source.format = vp8
	source.format.PayloadType = 120
	source.deliver(source.packet(3, 3, false))
	source.deliver(source.packet(4, 4, true))
	source.deliver(source.packet(5, 5, false))
	packets := out.take()
	checkNumbering(t, packets, []byte{1, 4, 5})
	if packets[2].PayloadType != vp8.PayloadType {
		t.Errorf("payload type %d, want %d", packets[2].PayloadType, vp8.PayloadType)
	}
}

func TestNumberingIsContiguousFromEachStart(t *testing.T) {
	t.Parallel()
	for _, start := range []int64{65536, 65537, 65536 + 32767, 65536 + 32768, 65536 + 65535} {
		source := newFakeTrack(t, "opus")
		out := &recordingEgress{}
		d := newBareTrack(t, source, out)
		d.attach()
		var want []byte
		for n := range 300 {
			p := source.packet(start+int64(n), byte(n), false)
			if n%7 == 3 {
				p.PaddingOnly, p.Payload = true, nil
			} else {
				want = append(want, byte(n))
			}
			source.deliver(p)
		}
		checkNumbering(t, out.take(), want)
	}
}

func TestRemovedSinksAreLeftAlone(t *testing.T) {
	t.Parallel()
	source := newFakeTrack(t, "opus")
	done := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		packets := []conn.Packet{source.packet(1, 1, false)}
		for {
			select {
			case <-done:
				return
			default:
				source.sinks.write(packets, nil)
			}
		}
	})
	reader.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				source.sinks.clockChanged()
				source.sinks.allowedRates(1, nil)
			}
		}
	})
	var adders sync.WaitGroup
	for range 4 {
		adders.Go(func() {
			for range 200 {
				s := &strictSink{t: t}
				if err := source.AddSink(s); err != nil {
					t.Error(err)
				}
				source.RemoveSink(s)
				s.removed = true // a race if it were still being called
			}
		})
	}
	adders.Wait()
	close(done)
	reader.Wait()
	source.sinks.close()
	if err := source.AddSink(&strictSink{t: t}); !errors.Is(err, conn.ErrClosed) {
		t.Errorf("AddSink to a closed track: %v, want ErrClosed", err)
	}
}

// strictSink fails the test if it is called after its removal.
type strictSink struct {
	t       *testing.T
	removed bool
}

func (s *strictSink) check() {
	if s.removed {
		s.t.Error("called after its removal")
	}
}

func (s *strictSink) WritePackets([]conn.Packet, *udpsocket.Batch) { s.check() }
func (s *strictSink) ClockChanged()                                { s.check() }

func (s *strictSink) AllowedRate(rtptime.Instant) uint64 {
	s.check()
	return conn.Unlimited
}
