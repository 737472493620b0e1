package webserver

import (
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"galene/signalling"
)

func TestWHEPEndpoint(t *testing.T) {
	t.Parallel()
	d := newDoorway(t, signalling.Limits{StreamWait: 50 * time.Millisecond})
	offer := offerOf(t, webrtc.RTPTransceiverDirectionRecvonly)
	tv := "tv"
	viewer := d.token(t, "secret", &tv)
	stranger := d.token(t, "stage", &tv)
	d.session(t) // by "whip", on the stage
	secret := d.send("POST", "/group/secret/.whip", publisherOffer(t), sdpType, "Authorization: Basic dHY6c2VjcmV0")
	if secret.StatusCode != 201 {
		t.Fatalf("POST: status %d", secret.StatusCode)
	}
	bearer := "Authorization: Bearer "
	tests := []struct {
		name, method, target, body string
		headers                    []string
		status                     int
		want                       []string
		text                       string // part of the body
	}{
		{"a viewer without credentials", "POST", "stage/.whep", offer, []string{sdpType}, 201, []string{
			"Content-Type: application/sdp", "Location: *", "ETag: *", "Link: *", "Access-Control-Expose-Headers: Location, Content-Type, Link, ETag",
		}, "a=sendonly"},
		{"a user's stream", "POST", "stage/.whep?user=whip", offer, []string{sdpType}, 201, nil, "a=candidate:"},
		{"a token without permissions", "POST", "secret/.whep", offer, []string{sdpType, bearer + viewer}, 201, nil, "a=sendonly"},
		{"a password", "POST", "secret/.whep", offer, []string{sdpType, "Authorization: Basic Z3Vlc3Q6eA=="}, 201, nil, "a=sendonly"},
		{"nothing to see", "POST", "quiet/.whep", offer, []string{sdpType}, 409, []string{"Retry-After: *", "Location: "}, "no such stream yet"},
		{"nothing to see, across origins", "POST", "quiet/.whep", offer, []string{sdpType, "Origin: http://example.org"}, 409, []string{
			"Access-Control-Expose-Headers: Location, Content-Type, Link, ETag, Retry-After", "Access-Control-Allow-Origin: http://example.org",
		}, "no such stream yet"},
		{"no such user", "POST", "stage/.whep?user=nobody", offer, []string{sdpType}, 409, []string{"Retry-After: *"}, "no such stream yet"},
		{"no such stream", "POST", "stage/.whep?stream=none", offer, []string{sdpType}, 409, []string{"Retry-After: *"}, "no such stream yet"},
		{"no credentials where there must be some", "POST", "secret/.whep", offer, []string{sdpType}, 401, []string{"WWW-Authenticate: *", "Link: "}, "not authorised"},
		{"a token for another group", "POST", "secret/.whep", offer, []string{sdpType, bearer + stranger}, 401, nil, "not authorised"},
		{"a locked group", "POST", "locked/.whep", offer, []string{sdpType}, 403, nil, "locked"},
		{"no such group", "POST", "none/.whep", offer, []string{sdpType}, 404, nil, ""},
		{"a group that has moved", "POST", "moved/.whep", offer, []string{sdpType}, 307, []string{"Location: https://other.example.org/group/moved/.whep"}, ""},
		{"codecs that nobody has", "POST", "stage/.whep", strings.NewReplacer("VP8", "XP8", "opus", "xpus").Replace(offer), []string{sdpType}, 406, nil, "cannot receive"},
		{"an offer that receives nothing", "POST", "stage/.whep", publisherOffer(t), []string{sdpType}, 400, nil, "nothing to receive"},
		{"nonsense", "POST", "stage/.whep", "nonsense", []string{sdpType}, 400, nil, "session description"},
		{"another type", "POST", "stage/.whep", offer, nil, 415, []string{"Accept: application/sdp"}, ""},
		{"GET", "GET", "stage/.whep", "", nil, 405, []string{"Allow: OPTIONS, POST"}, ""},
		{"OPTIONS", "OPTIONS", "secret/.whep", "", nil, 200, []string{"Access-Control-Allow-Methods: OPTIONS, POST", "Link: "}, ""},
		{"OPTIONS with a token", "OPTIONS", "secret/.whep", "", []string{bearer + viewer}, 200, []string{"Link: *"}, ""},
	}
	for _, tt := range tests {
		// One after the other at once: the publishers never connect, and do not stay for long.
		t.Run(tt.name, func(t *testing.T) {
			response := d.send(tt.method, "/group/"+tt.target, tt.body, tt.headers...)
			if response.StatusCode != tt.status {
				t.Errorf("%s %s: status %d, want %d", tt.method, tt.target, response.StatusCode, tt.status)
			}
			wantHeaders(t, response, tt.want...)
			if text := body(t, response); !strings.Contains(text, tt.text) {
				t.Errorf("%s %s: body %q, want %q in it", tt.method, tt.target, text, tt.text)
			}
		})
	}
}

func TestWHEPSessionIsAResourceOfItsOwn(t *testing.T) {
	t.Parallel()
	d := newDoorway(t, signalling.Limits{})
	published, _ := d.session(t)
	made := d.send("POST", "/group/stage/.whep", offerOf(t, webrtc.RTPTransceiverDirectionRecvonly), sdpType)
	path, etag := made.Header.Get("Location"), made.Header.Get("ETag")
	if !strings.HasPrefix(path, "/group/stage/.whep/") {
		t.Fatalf("Location is %q", path)
	}
	for _, tt := range []struct {
		method, path, body, header string
		status                     int
	}{
		{"PATCH", path, "a=candidate:1 1 udp 2122260223 127.0.0.1 9 typ host\r\n", "If-Match: " + etag, 204},
		{"PATCH", path, restartFragment, `If-Match: "*"`, 200},
		{"PATCH", path, "", "If-Match: " + etag, 412},
		{"DELETE", strings.Replace(path, ".whep", ".whip", 1), "", "If-Match: *", 404},
		{"DELETE", path, "", "If-Match: *", 200},
		{"DELETE", path, "", "If-Match: *", 404},
		{"DELETE", published, "", "If-Match: *", 200},
	} {
		if response := d.send(tt.method, tt.path, tt.body, fragmentType, tt.header); response.StatusCode != tt.status {
			t.Errorf("%s %s, %s: status %d, want %d", tt.method, tt.path, tt.header, response.StatusCode, tt.status)
		}
	}
}
