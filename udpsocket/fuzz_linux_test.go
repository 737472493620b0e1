package udpsocket

import (
	"bytes"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// What was encoded is decoded again, for both families.
func TestNamesAndControlsAreDecodedAsEncoded(t *testing.T) {
	t.Parallel()
	sockets := open(t, Options{})
	for _, tt := range []struct{ local, remote string }{
		{"127.0.0.2", "192.0.2.7:65535"},
		{"2001:db8::1", "[2001:db8::2]:1"},
		{"fe80::1", "[fe80::2%1]:5000"},
	} {
		s := socketOf(t, sockets, tt.local)
		d := destination(t, s, tt.local, netip.MustParseAddrPort(tt.remote))
		got, zone := decodeName(d.name[:d.nameLen])
		want := netip.MustParseAddrPort(tt.remote)
		if got.Addr() != want.Addr().WithZone("") || got.Port() != want.Port() || (zone == 1) != (want.Addr().Zone() != "") {
			t.Errorf("decodeName() = %v, zone %d, want %v", got, zone, want)
		}
		if !s.info {
			continue
		}
		// For IPv4, the address to send from stands elsewhere than that received at.
		if to, segment := decodeControl(d.control[:d.infoLen]); segment != 0 || s.v6 && to != netip.MustParseAddr(tt.local) {
			t.Errorf("decodeControl() = %v, %d, want %v, 0", to, segment, tt.local)
		}
	}
}

// Whatever the system fills in, the reader stays within it: the datagrams of a
// message are its octets in order, each of the size of a segment but the last, cut
// to what is accepted, and all from and to the same valid or no address.
func FuzzReaderSplitsWhatItGot(f *testing.F) {
	sockets := open(f, Options{})
	s := socketOf(f, sockets, "127.0.0.1")
	d := destination(f, s, "127.0.0.1", newAddr("127.0.0.1", 9))
	gro := bytes.Clone(d.control[:d.fullLen])
	gro[d.infoLen+unix.SizeofCmsghdr-4] = unix.UDP_GRO
	f.Add(d.name[:d.nameLen], d.control[:d.infoLen], uint32(1150), uint32(0))
	f.Add(d.name[:d.nameLen], gro, uint32(6000), uint32(unix.MSG_TRUNC))
	f.Add([]byte{}, []byte{}, uint32(0), uint32(0))
	f.Add([]byte{10, 0}, bytes.Repeat([]byte{255}, receiveControlSpace), uint32(1<<31), uint32(0))
	r := s.NewReader()
	f.Fuzz(func(t *testing.T, name, control []byte, length, flags uint32) {
		header := &r.messages[1].Hdr
		header.Namelen = uint32(copy(r.names[1][:], name))
		header.SetControllen(copy(r.controls[1][:], control))
		header.Flags = int32(flags)
		r.messages[1].Len = length
		r.datagrams = r.datagrams[:0]
		r.split(1)

		_, segment := decodeControl(r.controls[1][:header.Controllen])
		total := min(int(length), r.each)
		if segment == 0 || segment > total {
			segment = max(total, 1)
		}
		if want := max(1, (total+segment-1)/segment); len(r.datagrams) != want {
			t.Fatalf("%d datagrams, want %d", len(r.datagrams), want)
		}
		at := r.each // of the second message
		for i, d := range r.datagrams {
			n := min(segment, total)
			total -= n
			if len(d.Data) != min(n, MaxDatagram) || cap(d.Data) != len(d.Data) || n > MaxDatagram && !d.Truncated {
				t.Fatalf("datagram %d has %d octets, cap %d, truncated %v, want %d", i, len(d.Data), cap(d.Data), d.Truncated, n)
			}
			if n > 0 && &d.Data[0] != &r.space[at] {
				t.Fatalf("datagram %d is elsewhere", i)
			}
			at += n
			if d.From.Addr().Is4In6() || d.To.Is4In6() || d.From != r.datagrams[0].From || d.To != r.datagrams[0].To {
				t.Fatalf("datagram %d from %v to %v", i, d.From, d.To)
			}
		}
	})
}
