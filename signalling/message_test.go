package signalling

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"galene/group"
)

func TestEncodeLeavesOutWhatIsEmpty(t *testing.T) {
	t.Parallel()
	empty, name := "", "anna"
	tests := []struct {
		name string
		m    Message
		want string
	}{
		{"the type stays", Message{}, `{"type":""}`},
		{"an empty username stays", Message{Type: "user", Username: &empty}, `{"type":"user","username":""}`},
		{"a missing username goes", Message{Type: "user"}, `{"type":"user"}`},
		{
			"empty lists, objects and false go",
			Message{
				Type: "user", Permissions: []string{}, Data: group.Data{}, Username: &name,
				Status: object{}, Version: []string{}, Value: json.RawMessage{},
			},
			`{"type":"user","username":"anna"}`,
		},
		{"an empty configuration stays", Message{Type: "joined", RTCConfiguration: object(`{}`)}, `{"type":"joined","rtcConfiguration":{}}`},
		{"values are kept as they are", Message{Type: "chat", Value: json.RawMessage(`[1,{"a":null}]`)}, `{"type":"chat","value":[1,{"a":null}]}`},
		{"text is not escaped for HTML", Message{Type: "chat", Value: text("<b>&")}, `{"type":"chat","value":"<b>&"}`},
		{
			"candidates have all their fields",
			Message{Type: "ice", Candidate: &Candidate{Candidate: "c"}},
			`{"type":"ice","candidate":{"candidate":"c","sdpMid":null,"sdpMLineIndex":null,"usernameFragment":null}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.m.Encode()
			if err != nil || string(got) != tt.want {
				t.Errorf("Encode(%+v) = %s, %v, want %s", tt.m, got, err, tt.want)
			}
		})
	}
}

func TestDecodeIsStrictAboutKnownFieldsOnly(t *testing.T) {
	t.Parallel()
	zero, mid := uint16(0), "0"
	anna := "anna"
	tests := []struct {
		name, frame string
		want        *Message // nil: an error
	}{
		{"unknown fields are ignored", `{"type":"ping","colour":3}`, &Message{Type: "ping"}},
		{"null is absence", `{"type":"chat","value":null,"request":null,"username":null,"data":null}`, &Message{Type: "chat"}},
		{"nulls in data are kept", `{"data":{"a":null}}`, &Message{Data: group.Data{"a": json.RawMessage("null")}}},
		{"white space around", " \n{\"type\":\"ping\"} \n", &Message{Type: "ping"}},
		{"username", `{"username":"anna"}`, &Message{Username: &anna}},
		{
			"candidate", `{"candidate":{"candidate":"x","sdpMid":"0","sdpMLineIndex":0}}`,
			&Message{Candidate: &Candidate{Candidate: "x", SDPMid: &mid, SDPMLineIndex: &zero}},
		},
		{"value of any type", `{"value":[1]}`, &Message{Value: json.RawMessage(`[1]`)}},
		{"type is a number", `{"type":3}`, nil},
		{"version is a string", `{"version":"2"}`, nil},
		{"permissions of numbers", `{"permissions":[1]}`, nil},
		{"data is a list", `{"data":[]}`, nil},
		{"status is a string", `{"status":"x"}`, nil},
		{"configuration is a list", `{"rtcConfiguration":[]}`, nil},
		{"candidate is a string", `{"candidate":"x"}`, nil},
		{"negative section index", `{"candidate":{"sdpMLineIndex":-1}}`, nil},
		{"noecho is a string", `{"noecho":"yes"}`, nil},
		{"a list", `[]`, nil},
		{"null", `null`, nil},
		{"nothing", ``, nil},
		{"cut", `{"type":`, nil},
		{"two objects", `{}{}`, nil},
		{"not UTF-8", "{\"value\":\"\xff\"}", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := Decode([]byte(tt.frame))
			if (err != nil) != (tt.want == nil) || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Decode(%q) = %+v, %v, want %+v", tt.frame, got, err, tt.want)
			}
		})
	}
}

func TestDecodeTellsWhyBytesAreNotText(t *testing.T) {
	t.Parallel()
	if _, err := Decode([]byte{'{', 0xff, '}'}); !errors.Is(err, errNotUTF8) {
		t.Errorf("Decode of invalid UTF-8: %v, want %v", err, errNotUTF8)
	}
}

func TestTimesAreWholeSecondsWithTheServersOffset(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 4, 5, 6, 7, 890, time.UTC)
	got := formatTime(at)
	back, err := time.Parse(time.RFC3339, got)
	if err != nil || !back.Equal(at.Truncate(time.Second)) {
		t.Errorf("formatTime(%v) = %q, want the same second (%v)", at, got, err)
	}
	if want := at.Local().Format("2006-01-02T15:04:05Z07:00"); got != want {
		t.Errorf("formatTime(%v) = %q, want %q", at, got, want)
	}
}

// Whatever a client sends, Decode does not panic, and what it accepts can be
// encoded; encoding that again gives the same bytes.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"type":"handshake","version":["2"],"id":"a"}`,
		`{"type":"join","kind":"join","group":"g","username":"","data":{"x":null}}`,
		`{"type":"chat","value":{"a":[1,2,"<\u2028"]},"noecho":true,"time":"x"}`,
		`{"type":"ice","id":"s","candidate":{"candidate":"","sdpMid":null}}`,
		`{"type":"request","request":{"":["audio"]}}`,
		`{"status":{},"rtcConfiguration":{"iceServers":[]}}`,
		`{"value": null , "request": {"a" : [ ] } }`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		m, err := Decode(frame)
		if err != nil {
			return
		}
		first, err := m.Encode()
		if err != nil {
			t.Fatalf("Encode of decoded %q: %v", frame, err)
		}
		again, err := Decode(first)
		if err != nil {
			t.Fatalf("Decode(%q), which was encoded: %v", first, err)
		}
		second, err := again.Encode()
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("encoded %q, then %q (%v)", first, second, err)
		}
	})
}
