package webserver

import "galene/group"

// whep is the door for viewers (draft-ietf-wish-whep).
func whep() door {
	return door{name: ".whep", kind: group.WHEPMember, username: "whep"}
}
