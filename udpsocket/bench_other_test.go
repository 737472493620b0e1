//go:build !linux

package udpsocket

import "testing"

// receiveUnmerged does nothing: nothing is merged here.
func receiveUnmerged(*testing.B, *Socket) {}
