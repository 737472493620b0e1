package signalling

import (
	"context"
	"fmt"
)

// Gathered returns the last answer.
func (u *fakeUp) Gathered(ctx context.Context) (string, error) {
	u.engine.mu.Lock()
	defer u.engine.mu.Unlock()
	if u.closed {
		return "", errNoMedia
	}
	return fmt.Sprintf("a=ice-ufrag:server%d\r\na=ice-pwd:%s\r\n", u.offers, serverPassword), ctx.Err()
}

// RemoteDescription returns the last offer.
func (u *fakeUp) RemoteDescription() string {
	u.engine.mu.Lock()
	defer u.engine.mu.Unlock()
	return u.remote
}

func (u *fakeUp) Established() bool {
	u.engine.mu.Lock()
	defer u.engine.mu.Unlock()
	return u.established
}

const serverPassword = "0123456789abcdefghijkl"
