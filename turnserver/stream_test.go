package turnserver

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

func stunMessage(length uint16, body int) []byte {
	b := make([]byte, stunHeader+body)
	binary.BigEndian.PutUint16(b, 0x0001)
	binary.BigEndian.PutUint16(b[2:], length)
	binary.BigEndian.PutUint32(b[4:], stunCookie)
	return b
}

func channelData(length uint16, body int) []byte {
	b := make([]byte, channelHeader+body)
	binary.BigEndian.PutUint16(b, 0x4000)
	binary.BigEndian.PutUint16(b[2:], length)
	return b
}

func TestStreamsAreCutIntoMessages(t *testing.T) {
	t.Parallel()
	badCookie := stunMessage(0, 0)
	badCookie[4]++
	tests := []struct {
		name string
		data []byte
		want []int // lengths of the messages
		err  error // at the end
	}{
		{"nothing", nil, nil, io.EOF},
		{"a STUN message", stunMessage(8, 8), []int{28}, io.EOF},
		{"two", append(stunMessage(0, 0), stunMessage(4, 4)...), []int{20, 24}, io.EOF},
		{"channel data", channelData(4, 4), []int{8}, io.EOF},
		{"channel data with padding", append(channelData(5, 8), channelData(1, 4)...), []int{12, 8}, io.EOF},
		{"empty channel data", channelData(0, 0), []int{4}, io.EOF},
		{"the longest", channelData(maxFrame-7, maxFrame-7), []int{maxFrame - 3}, io.EOF},
		{"a cut header", stunMessage(0, 0)[:3], nil, io.EOF},
		{"a cut message", stunMessage(8, 4), nil, io.ErrUnexpectedEOF},
		{"another cookie", badCookie, nil, errFrame},
		{"an odd length", stunMessage(5, 5), nil, errFrame},
		{"a length that overflows to nothing", stunMessage(0xffec, 100), nil, errFrame},
		{"the longest length", stunMessage(0xfffc, 100), nil, errFrame},
		{"channel data that overflows", channelData(0xffff, 100), nil, errFrame},
		{"neither", []byte("GET / HTTP/1.1\r\n\r\n"), []int{}, errFrame},
		{"RTP", append([]byte{0x80}, make([]byte, 30)...), nil, errFrame},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := bufio.NewReaderSize(bytes.NewReader(tt.data), maxFrame+1)
			b := make([]byte, maxFrame+1)
			var offset int
			for _, want := range tt.want {
				n, err := readFrame(r, b)
				if n != want || err != nil || !bytes.Equal(b[:n], tt.data[offset:offset+n]) {
					t.Fatalf("readFrame of %.40x = %d, %v, want %d", tt.data[offset:], n, err, want)
				}
				offset += n
			}
			if n, err := readFrame(r, b); n != 0 && err == nil || err == nil {
				t.Errorf("readFrame at the end = %d, %v, want error %v", n, err, tt.err)
			}
		})
	}
}

// Whatever a client sends, each message is whole and within the bounds, and
// together they are what was sent, up to an error.
func FuzzReadFrame(f *testing.F) {
	f.Add(append(stunMessage(8, 8), channelData(5, 8)...))
	f.Add(stunMessage(0xffec, 100))
	f.Add(channelData(0xffff, 100))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(data), maxFrame+1)
		b := make([]byte, maxFrame+1)
		for offset := 0; ; {
			n, err := readFrame(r, b)
			if err != nil {
				return
			}
			if n < channelHeader || n > maxFrame || offset+n > len(data) || !bytes.Equal(b[:n], data[offset:offset+n]) {
				t.Fatalf("message of %d bytes at %d of %x", n, offset, data)
			}
			if b[0] < 0x40 && !stun.IsMessage(b[:n]) {
				t.Fatalf("%x is no STUN message", b[:n])
			}
			offset += n
		}
	})
}

func TestClientsThatSpeakSomethingElseAreCutOff(t *testing.T) {
	t.Parallel()
	s := serve(t, "127.0.0.1", Options{})
	for _, data := range [][]byte{stunMessage(0xffec, 100), channelData(0xffff, 100), []byte("GET / HTTP/1.1\r\n\r\n")} {
		conn, err := net.Dial("tcp", s.address())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		if _, err := conn.Write(data); err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, conn); n != 0 {
			t.Errorf("after %.20x: %d bytes, %v, want the connection to end", data, n, err)
		}
	}
}
