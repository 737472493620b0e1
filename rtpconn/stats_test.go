package rtpconn

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"galene/codecs"
	"galene/conn"
	"galene/estimator"
	"galene/jitter"
	"galene/rtptime"
)

func TestStatisticsFollowWhatFlows(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	s := newStream(t, e, 0)
	sub := newTestSubscriber(t, e, s.testPublisher.up)
	sub.connect(s.up)
	sub.attached()
	s.write(100, true)
	s.arrived()
	remote := within(t, "track", sub.tracks)
	ssrc := uint32(remote.SSRC())
	for range 100 {
		within(t, "packet", remote.packets)
	}

	up := s.testPublisher.up.Stats().Tracks
	if len(up) != 1 || up[0].Kind != codecs.Video || up[0].Codec != "video/VP8" ||
		up[0].Packets < 100 || up[0].Bytes < 100*rtpFixedHeader || up[0].MaxBitrate == 0 {
		t.Errorf("the up tracks are %+v", up)
	}
	down := sub.down.Stats()
	if down.ID != "a" || len(down.Tracks) != 1 || down.Tracks[0].Codec != "video/VP8" || down.Tracks[0].Packets < 100 {
		t.Errorf("the down connection is %+v", down)
	}
	if got, want := down.Tracks[0].MaxBitrate, uint64(512_000); got != want {
		t.Errorf("the subscriber is taken to take %d bit/s, want %d", got, want)
	}

	err := sub.pc.WriteRTCP([]rtcp.Packet{
		&rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{
			{SSRC: ssrc, FractionLost: 64, TotalLost: 7, Jitter: 900},
		}},
		&rtcp.PictureLossIndication{SenderSSRC: 1, MediaSSRC: ssrc},
		&rtcp.FullIntraRequest{SenderSSRC: 1, FIR: []rtcp.FIREntry{{SSRC: ssrc, SequenceNumber: 1}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the subscriber's feedback is counted", func() bool {
		got := sub.down.Stats().Tracks[0]
		return got.Loss == 0.25 && got.Lost == 7 && got.Jitter == 10*time.Millisecond && got.PLIs == 1 && got.FIRs == 1
	})
	eventually(t, "the publisher is asked for a keyframe", func() bool { return s.testPublisher.up.Stats().Tracks[0].PLIs > 0 })
}

func TestTotalsOutliveTheirTracks(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	s := newStream(t, e, 0)
	sub := newTestSubscriber(t, e, s.testPublisher.up)
	sub.connect(s.up)
	sub.attached()
	s.write(50, true)
	s.arrived()
	remote := within(t, "track", sub.tracks)
	for range 50 {
		within(t, "packet", remote.packets)
	}

	before := e.Stats()
	if before.Up.Connections != 1 || before.Down.Connections != 1 ||
		before.Up.Video.Tracks != 1 || before.Down.Video.Tracks != 1 {
		t.Errorf("there are %+v, want one connection and one track each way", before)
	}
	if before.Joins.Count != 1 || before.Joins.Sum <= 0 {
		t.Errorf("joins are %+v, want one", before.Joins)
	}
	sub.down.Close()
	s.testPublisher.up.Close()
	after := e.Stats()
	if after.Up.Connections != 0 || after.Down.Connections != 0 || after.Up.Video.Tracks != 0 || after.Down.Video.Tracks != 0 {
		t.Errorf("there are %+v after closing, want none", after)
	}
	if after.Up.Video.Packets < before.Up.Video.Packets || after.Down.Video.Packets < 50 {
		t.Errorf("%d packets in and %d out after closing, want as many as before: %+v",
			after.Up.Video.Packets, after.Down.Video.Packets, before)
	}
	if after.Up.Audio.Packets != 0 || after.Down.Audio.Packets != 0 {
		t.Errorf("audio was counted: %+v", after)
	}
}

func TestConnectionsAreListedWithTheirOwners(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	up, err := e.NewUp(UpConfig{ID: "stream", Owner: Owner{"room", "publisher"}})
	if err != nil {
		t.Fatal(err)
	}
	down, err := e.NewDown(DownConfig{Up: up, Owner: Owner{"room", "subscriber"}})
	if err != nil {
		t.Fatal(err)
	}
	ups, downs := e.Connections()
	if len(ups) != 1 || ups[0].ID != "stream" || ups[0].Owner != (Owner{"room", "publisher"}) || ups[0].Tracks != nil {
		t.Errorf("up connections are %+v", ups)
	}
	if len(downs) != 1 || downs[0].ID != "stream" || downs[0].Owner != (Owner{"room", "subscriber"}) || downs[0].Tracks != nil {
		t.Errorf("down connections are %+v", downs)
	}
	down.Close()
	up.Close()
	if ups, downs := e.Connections(); len(ups)+len(downs) != 0 {
		t.Errorf("connections that are closed are listed: %+v, %+v", ups, downs)
	}
}

func TestRetransmissionsAndLayersThatAreLeftOutAreCounted(t *testing.T) {
	t.Parallel()
	source := newFakeTrack(t, "vp9")
	source.gop = false
	d := newDownTrack(newBareDown(t), conn.Selection{Track: source, LowestLayer: true}, downFormat(source))
	d.bind(discardEgress{}, 1234, d.format.PayloadType)
	d.attach()
	for n := range int64(10) {
		p := source.packet(100+n, byte(n), n == 0)
		p.Frame.SpatialID = uint8(n % 2)
		source.deliver(p)
	}
	first := d.header.SequenceNumber - 4
	d.handleRTCP(&rtcp.TransportLayerNack{MediaSSRC: d.ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers([]uint16{first, first + 1})})
	d.handleRTCP(&rtcp.TransportLayerNack{MediaSSRC: d.ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers([]uint16{first - 100})})
	got := d.counters.counts()
	want := Counts{Packets: 5, Bytes: 5 * (rtpFixedHeader + 4), NACKs: 3, Retransmitted: 2, LayerDrops: 5}
	if got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

func TestReportedLossIsBoundedAndForgotten(t *testing.T) {
	t.Parallel()
	var rate estimator.Rate
	c := counters{direction: downward, kind: codecs.Audio, clockRate: 48000, rate: &rate}
	now := rtptime.Now()
	for range 10 {
		rate.Add(100, now)
	}
	tests := []struct {
		name      string
		totalLost uint32
		want      uint64
	}{
		{"some", 3, 3},
		{"fewer, as late ones have come", 1, 3},
		{"less than none, as there are duplicates", 0xfffffe, 3},
		{"more", 4, 4},
		{"more than were sent", 0x7fffff, 10},
		{"none, and then again", 0, 10},
	}
	for _, tt := range tests {
		c.reported(128, tt.totalLost, 480, now)
		if got := c.counts().Lost; got != tt.want {
			t.Errorf("%s (%#x): %d packets lost, want %d", tt.name, tt.totalLost, got, tt.want)
		}
	}
	if s := c.stats(now.Add(receptionValidity - 1)); s.Loss != 0.5 || s.Jitter != 10*time.Millisecond {
		t.Errorf("loss %v and jitter %v just in time, want 0.5 and 10ms", s.Loss, s.Jitter)
	}
	if s := c.stats(now.Add(receptionValidity)); s.Loss != 0 || s.Jitter != 0 {
		t.Errorf("loss %v and jitter %v when too old, want none", s.Loss, s.Jitter)
	}
}

func TestLossOfAPublisherIsThatOfTheLastInterval(t *testing.T) {
	t.Parallel()
	var rate estimator.Rate
	c := counters{direction: upward, kind: codecs.Video, rate: &rate}
	s := jitter.NewStatistics(90000)
	now := epoch
	receive := func(first, last, step int64) {
		for n := first; n <= last; n += step {
			now = now.Add(time.Millisecond)
			s.Receive(n, uint32(n)*90, now)
		}
		s.Report(now)
		c.observe(s, now)
	}
	receive(1000, 1010, 1)
	receive(1012, 1020, 2) // five of ten
	if got := c.stats(now); got.Loss != 0.5 || got.Lost != 5 {
		t.Errorf("loss %v, %d lost, want 0.5 and 5", got.Loss, got.Lost)
	}
	receive(1021, 1030, 1)
	if got := c.stats(now); got.Loss != 0 || got.Lost != 5 {
		t.Errorf("loss %v, %d lost an interval later, want 0 and 5", got.Loss, got.Lost)
	}
}

func TestLedgerNeverCountsBackwards(t *testing.T) {
	t.Parallel()
	var l ledger
	var tracks sync.WaitGroup
	for i := range 8 {
		tracks.Go(func() {
			for range 200 {
				var rate estimator.Rate
				c := &counters{direction: direction(i % 2), kind: codecs.Kind(i / 2 % 2), rate: &rate}
				l.count(c)
				rate.Add(100, epoch)
				c.nacks.Add(1)
				l.retire(c)
				l.retire(c) // does nothing
			}
		})
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tracks.Wait()
	}()
	all := func() (packets []uint64, tracks int) {
		var s EngineStats
		l.sum(&s)
		for _, t := range []Totals{s.Up.Audio, s.Up.Video, s.Down.Audio, s.Down.Video} {
			packets = append(packets, t.Packets)
			tracks += t.Tracks
		}
		return packets, tracks
	}
	before := make([]uint64, 4)
	for done := false; !done; {
		select {
		case <-ended:
			done = true
		default:
		}
		now, _ := all()
		for i := range now {
			if now[i] < before[i] {
				t.Fatalf("%v packets after %v", now, before)
			}
		}
		before = now
	}
	if packets, open := all(); !slices.Equal(packets, []uint64{400, 400, 400, 400}) || open != 0 {
		t.Errorf("%v packets and %d tracks in the end, want 400 of each kind and none", packets, open)
	}
}

func TestJoinsAreSortedByDuration(t *testing.T) {
	t.Parallel()
	var j joins
	for _, took := range []time.Duration{0, 50 * time.Millisecond, 51 * time.Millisecond, time.Second, time.Minute} {
		j.add(took)
	}
	h := j.histogram()
	if h.Count != 5 || h.Sum != 61*time.Second+101*time.Millisecond {
		t.Errorf("%d joins in %v, want 5 in 1m1.101s", h.Count, h.Sum)
	}
	want := []uint64{2, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4}
	for i, b := range h.Buckets {
		if b.Limit != joinLimits[i] || b.Count != want[i] {
			t.Errorf("bucket %d is %+v, want %v and %d", i, b, joinLimits[i], want[i])
		}
	}
}

func TestStatisticsMayBeReadWhileTracksComeAndGo(t *testing.T) {
	t.Parallel()
	source := newFakeTrack(t, "vp8")
	source.gop = false
	down := newBareDown(t)
	down.up = &namelessUp{}
	down.active.Store(&[]*downTrack{})
	var writers sync.WaitGroup
	stop := make(chan struct{})
	writers.Go(func() {
		for n := int64(1); ; n++ {
			select {
			case <-stop:
				return
			default:
				source.deliver(source.packet(n, 1, n%10 == 0))
			}
		}
	})
	for range 200 {
		d := newDownTrack(down, conn.Selection{Track: source}, downFormat(source))
		d.bind(discardEgress{}, 1234, d.format.PayloadType)
		down.active.Store(&[]*downTrack{d})
		d.attach()
		if got := down.Stats(); len(got.Tracks) != 1 {
			t.Fatalf("tracks are %+v, want one", got.Tracks)
		}
		remove(d.close())
	}
	close(stop)
	writers.Wait()
}

// namelessUp is a stream that has a name.
type namelessUp struct{ conn.Up }

func (*namelessUp) ID() string { return "fake" }
