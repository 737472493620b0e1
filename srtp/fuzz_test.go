package srtp

import (
	"bytes"
	"fmt"
	"testing"
)

// FuzzOpen: whatever comes in, Open does not panic, and opens nothing but what was sealed, to what it was.
func FuzzOpen(f *testing.F) {
	type sealedPacket struct {
		packet  string
		profile Profile
		ssrc    uint32
		index   uint64
	}
	type plainPacket struct {
		headerLen int
		plain     []byte
	}
	sealed := make(map[sealedPacket]plainPacket)
	openers := make(map[Profile]*Opener)
	for i, p := range profiles {
		keys := keysFor(f, p, 1)
		openers[p] = newOpener(f, keys, true)
		sealer := newSealer(f, keys, true)
		for j, s := range shapes {
			ssrc, index := uint32(j), uint64(j)<<16|uint64(i)
			header, payload := s.packet(f, ssrc, index)
			packet := sealer.Seal(nil, header, payload, ssrc, index)
			sealed[sealedPacket{string(packet), p, ssrc, index}] = plainPacket{len(header), append(header, payload...)}
			f.Add(packet, uint16(p), len(header), ssrc, index)
			f.Add(packet[:len(packet)/2], uint16(p), len(header), ssrc, index)
		}
	}
	f.Fuzz(func(t *testing.T, packet []byte, profile uint16, headerLen int, ssrc uint32, index uint64) {
		opener, ok := openers[Profile(profile)]
		if !ok {
			opener, profile = openers[AEAD_AES_128_GCM], uint16(AEAD_AES_128_GCM)
		}
		dst := make([]byte, len(packet))
		n, err := opener.Open(dst, bytes.Clone(packet), headerLen, ssrc, index)
		if err != nil {
			if n != 0 {
				t.Errorf("%d octets and %v", n, err)
			}
			return
		}
		want, ok := sealed[sealedPacket{string(packet), Profile(profile), ssrc, index & indexMask}]
		if !ok {
			t.Fatalf("%x was opened, but never sealed", packet)
		}
		// Where the header ends is the caller's to say: the tag does not cover it in counter mode.
		if headerLen == want.headerLen && !bytes.Equal(dst[:n], want.plain) {
			t.Errorf("%x was opened to %x, want %x", packet, dst[:n], want.plain)
		}
	})
}

// FuzzParseKeyLogLine: what is understood is what the line says, nothing else, and of the right length.
func FuzzParseKeyLogLine(f *testing.F) {
	good := fmt.Sprintf("CLIENT_RANDOM %064x %096x", 12345, 67890)
	for _, line := range []string{
		good, good + "\n", good + "\r\n", good + " ", good[:len(good)-1], good[:len(good)-1] + "g", "", "CLIENT_RANDOM ",
		"CLIENT_RANDOM 00 00", "# comment", "SERVER_HANDSHAKE_TRAFFIC_SECRET 00 00",
		fmt.Sprintf("CLIENT_RANDOM %064X %096X", 0xabcdef, 0xfedcba), fmt.Sprintf("CLIENT_RANDOM %064x-%096x", 1, 2),
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		before := bytes.Clone(line)
		random, master, ok := ParseKeyLogLine(line)
		if !bytes.Equal(line, before) {
			t.Fatalf("%q has become %q", before, line)
		}
		if !ok {
			if random != nil || master != nil {
				t.Fatalf("%q is not understood, but gives %x and %x", line, random, master)
			}
			return
		}
		want := fmt.Sprintf("CLIENT_RANDOM %x %x", random, master)
		got := bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		if len(random) != 32 || len(master) != 48 || !bytes.EqualFold(got[14:], []byte(want[14:])) || string(got[:14]) != want[:14] {
			t.Fatalf("%q is taken for %q", line, want)
		}
	})
}

func TestParseKeyLogLine(t *testing.T) {
	t.Parallel()
	random, master := bytes.Repeat([]byte{0xab}, 32), bytes.Repeat([]byte{0x1c}, 48)
	line := fmt.Sprintf("CLIENT_RANDOM %x %x", random, master)
	for text, want := range map[string]bool{
		line: true, line + "\n": true, line + "\r\n": true,
		line + "\n\n": false, " " + line: false, line + "00": false, line[1:]: false, line[:len(line)-2]: false,
		"client_random" + line[13:]: false, line[:78] + "-" + line[79:]: false, line[:20] + "x" + line[21:]: false,
		line[:90] + " " + line[91:]: false, "": false,
	} {
		gotRandom, gotMaster, ok := ParseKeyLogLine([]byte(text))
		if ok != want {
			t.Errorf("%q understood: %v, want %v", text, ok, want)
			continue
		}
		if ok && (!bytes.Equal(gotRandom, random) || !bytes.Equal(gotMaster, master)) {
			t.Errorf("%q gives %x and %x, want %x and %x", text, gotRandom, gotMaster, random, master)
		}
	}
}
