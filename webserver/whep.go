package webserver

import (
	"context"
	"net/url"

	"galene/group"
	"galene/signalling"
)

// whep is the door for viewers (draft-ietf-wish-whep). The query of the endpoint's
// URL says whom to watch: everybody, if it says nothing.
func whep() door {
	return door{
		name: ".whep", kind: group.WHEPMember, username: "whep",
		open: func(ctx context.Context, s *signalling.Server, o signalling.HTTPOffer, query url.Values) (*signalling.HTTPSession, string, error) {
			return s.Watch(ctx, o, signalling.Choice{Stream: query.Get("stream"), User: query.Get("user")})
		},
	}
}
