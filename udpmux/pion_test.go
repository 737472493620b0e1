package udpmux

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"

	"galene/udpsocket"
)

// iceAgent returns an agent that gathers host candidates, on mux if not nil.
func iceAgent(t *testing.T, mux ice.UDPMux, network ice.NetworkType) *ice.Agent {
	t.Helper()
	a, err := ice.NewAgentWithOptions(
		ice.WithNetworkTypes([]ice.NetworkType{network}),
		ice.WithCandidateTypes([]ice.CandidateType{ice.CandidateTypeHost}),
		ice.WithMulticastDNSMode(ice.MulticastDNSModeDisabled),
		ice.WithIncludeLoopback(),
		ice.WithUDPMux(mux),
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.GracefulClose(); err != nil {
			t.Errorf("close agent: %v", err)
		}
	})
	return a
}

// connect joins two agents and returns their ends.
func connect(t *testing.T, a, b *ice.Agent) (net.Conn, net.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	t.Cleanup(cancel)
	trickle := func(from, to *ice.Agent) {
		if err := from.OnCandidate(func(c ice.Candidate) {
			if c != nil {
				if err := to.AddRemoteCandidate(c); err != nil {
					t.Errorf("AddRemoteCandidate(%v): %v", c, err)
				}
			}
		}); err != nil {
			t.Fatal(err)
		}
		if err := from.GatherCandidates(); err != nil {
			t.Fatal(err)
		}
	}
	trickle(a, b)
	trickle(b, a)
	ufragA, pwdA, errA := a.GetLocalUserCredentials()
	ufragB, pwdB, errB := b.GetLocalUserCredentials()
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	var left *ice.Conn
	var dialled sync.WaitGroup
	dialled.Go(func() {
		var err error
		if left, err = a.Dial(ctx, ufragB, pwdB); err != nil {
			t.Errorf("dial: %v", err)
		}
	})
	right, err := b.Accept(ctx, ufragA, pwdA)
	dialled.Wait()
	if err != nil {
		t.Fatalf("accept: %v", err)
	}
	if left == nil {
		t.FailNow()
	}
	return left, right
}

// exchange sends numbered messages in turn and checks that each arrives.
func exchange(t *testing.T, a, b net.Conn, id uint32) {
	t.Helper()
	for _, c := range []net.Conn{a, b} {
		if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Error(err)
		}
	}
	for i := range uint32(20) {
		want := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte("data"), id), i)
		if _, err := a.Write(want); err != nil {
			t.Errorf("write %d: %v", i, err)
			return
		}
		got := make([]byte, 100)
		n, err := b.Read(got)
		if err != nil || !bytes.Equal(got[:n], want) {
			t.Errorf("connection %d, message %d: read %x, %v, want %x", id, i, got[:n], err, want)
			return
		}
		a, b = b, a
	}
}

func TestPeerConnectionsShareAMux(t *testing.T) {
	t.Parallel()
	m := listen(t)
	var settings webrtc.SettingEngine
	settings.SetICEUDPMux(m)
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	served := webrtc.NewAPI(webrtc.WithSettingEngine(settings))
	var all sync.WaitGroup
	for i := range 2 {
		all.Go(func() { echo(t, served, fmt.Sprintf("message %d", i)) })
	}
	all.Wait()
}

// echo opens a data channel from a plain peer connection to one of api, and
// sends a message back and forth.
func echo(t *testing.T, api *webrtc.API, message string) {
	t.Helper()
	client, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Error(err)
		return
	}
	defer client.GracefulClose() // goleak tells
	server, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Error(err)
		return
	}
	defer server.GracefulClose() // goleak tells
	server.OnDataChannel(func(d *webrtc.DataChannel) {
		d.OnMessage(func(got webrtc.DataChannelMessage) {
			if err := d.Send(got.Data); err != nil {
				t.Error(err)
			}
		})
	})
	channel, err := client.CreateDataChannel("echo", nil)
	if err != nil {
		t.Error(err)
		return
	}
	channel.OnOpen(func() {
		if err := channel.Send([]byte(message)); err != nil {
			t.Error(err)
		}
	})
	echoed := make(chan string, 1)
	channel.OnMessage(func(got webrtc.DataChannelMessage) { echoed <- string(got.Data) })
	if err := negotiate(client, server); err != nil {
		t.Error(err)
		return
	}
	select {
	case got := <-echoed:
		if got != message {
			t.Errorf("echo = %q, want %q", got, message)
		}
	case <-time.After(3 * patience):
		t.Error("no echo")
	}
}

// negotiate exchanges complete descriptions.
func negotiate(offerer, answerer *webrtc.PeerConnection) error {
	offer, err := offerer.CreateOffer(nil)
	if err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(offerer)
	if err := offerer.SetLocalDescription(offer); err != nil {
		return err
	}
	<-gathered
	if err := answerer.SetRemoteDescription(*offerer.LocalDescription()); err != nil {
		return err
	}
	answer, err := answerer.CreateAnswer(nil)
	if err != nil {
		return err
	}
	gathered = webrtc.GatheringCompletePromise(answerer)
	if err := answerer.SetLocalDescription(answer); err != nil {
		return err
	}
	<-gathered
	return offerer.SetRemoteDescription(*answerer.LocalDescription())
}

func TestAnAgentConnectsOverIPv6(t *testing.T) {
	t.Parallel()
	m := listen(t)
	local, err := localAddresses(true)
	if err != nil {
		t.Fatal(err)
	}
	usable := false
	for _, ip := range local {
		usable = usable || ip.Is6() && m.socketFor(ip) != nil
	}
	if !usable {
		t.Skip("no IPv6 address here")
	}
	left, right := connect(t, iceAgent(t, m, ice.NetworkTypeUDP6), iceAgent(t, nil, ice.NetworkTypeUDP6))
	exchange(t, left, right, 6)
}

func TestAnAgentRestartsOnItsMux(t *testing.T) {
	t.Parallel()
	m := listen(t)
	a, b := iceAgent(t, m, ice.NetworkTypeUDP4), iceAgent(t, nil, ice.NetworkTypeUDP4)
	left, right := connect(t, a, b)
	exchange(t, left, right, 1)
	restart(t, a, b)
	exchange(t, left, right, 2)
}

// restart restarts ICE between two agents and waits until they are connected.
func restart(t *testing.T, a, b *ice.Agent) {
	t.Helper()
	for _, agent := range []*ice.Agent{a, b} {
		if err := agent.Restart("", ""); err != nil {
			t.Fatal(err)
		}
	}
	for _, pair := range [][2]*ice.Agent{{a, b}, {b, a}} {
		ufrag, pwd, err := pair[0].GetLocalUserCredentials()
		if err != nil {
			t.Fatal(err)
		}
		if err := pair[1].SetRemoteCredentials(ufrag, pwd); err != nil {
			t.Fatal(err)
		}
	}
	connected := make(chan struct{}, 1)
	if err := b.OnSelectedCandidatePairChange(func(_, _ ice.Candidate) {
		select {
		case connected <- struct{}{}:
		default:
		}
	}); err != nil {
		t.Fatal(err)
	}
	for _, agent := range []*ice.Agent{a, b} {
		if err := agent.GatherCandidates(); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-connected:
	case <-time.After(3 * patience):
		t.Fatal("not connected again")
	}
	eventually(t, "a has a pair again", func() bool {
		pair, err := a.GetSelectedCandidatePair()
		return err == nil && pair != nil
	})
}

func TestAReceiverAndARouteSurviveARestart(t *testing.T) {
	t.Parallel()
	m := listen(t)
	a, b := iceAgent(t, m, ice.NetworkTypeUDP4), iceAgent(t, nil, ice.NetworkTypeUDP4)
	_, right := connect(t, a, b)
	var r recorder
	route := func() *udpsocket.Destination {
		ufrag, _, err := a.GetLocalUserCredentials()
		if err != nil {
			t.Fatal(err)
		}
		m.SetReceiver(ufrag, &r)
		pair, err := a.GetSelectedCandidatePair()
		if err != nil {
			t.Fatal(err)
		}
		local, remote := netip.MustParseAddr(pair.Local.Address()), netip.MustParseAddr(pair.Remote.Address())
		d, ok := m.Route(ufrag, local, netip.AddrPortFrom(remote, uint16(pair.Remote.Port())))
		if !ok || d.Local() != local {
			t.Fatalf("Route() = %v, %v, want from %v", d, ok, local)
		}
		return d
	}
	check := func(seq byte, d *udpsocket.Destination) {
		if _, err := right.Write(rtp(96, seq)); err != nil {
			t.Fatal(err)
		}
		r.wait(t, int(seq))
		if err := d.Send(rtp(97, seq)); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 100)
		if err := right.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if n, err := right.Read(got); err != nil || !bytes.Equal(got[:n], rtp(97, seq)) {
			t.Errorf("read %x, %v, want %x", got[:n], err, rtp(97, seq))
		}
	}
	check(1, route())
	restart(t, a, b)
	check(2, route())
	m.RemoveReceiver(&r)
}

func TestFiftyConnectionsShareOnePort(t *testing.T) {
	t.Parallel()
	m := listen(t)
	var all sync.WaitGroup
	for id := range uint32(50) {
		a, b := iceAgent(t, m, ice.NetworkTypeUDP4), iceAgent(t, nil, ice.NetworkTypeUDP4)
		left, right := connect(t, a, b)
		all.Go(func() { exchange(t, left, right, id) })
	}
	all.Wait()
	if got := m.Stats(); got.QueueDrops != 0 || got.SendErrors != 0 {
		t.Errorf("Stats() = %+v, want no drops and no errors", got)
	}
}
