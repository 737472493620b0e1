package rtpconn

import (
	"crypto"
	"sync"

	"github.com/pion/dtls/v3/pkg/protocol/extension"
	dtlshandshake "github.com/pion/dtls/v3/pkg/protocol/handshake"
	"github.com/pion/webrtc/v4"

	"galene/srtp"
)

// handshake collects what the DTLS handshake of one connection discloses to its
// own side, if that is the server's: enough to derive the keys of SRTP (RFC 5764
// §4.2), which Pion keeps to itself. As DTLS client we do not learn the
// server's random, and there are no keys.
//
// Pion calls Write and serverHello; both may be called again when a flight is
// repeated. Any goroutine may use it.
type handshake struct {
	mu      sync.Mutex // guards the fields below
	secrets srtp.Secrets
	profile srtp.Profile
	hello   bool // secrets.ServerRandom, secrets.Hash and profile are set
	over    bool // secrets were taken or wiped
}

// observe has the settings of a connection tell h of its handshake.
func (h *handshake) observe(s *webrtc.SettingEngine) {
	s.SetDTLSKeyLogWriter(h)
	s.SetDTLSServerHelloMessageHook(h.serverHello)
}

// Write implements io.Writer. It takes one line of a key log.
func (h *handshake) Write(line []byte) (int, error) {
	random, master, ok := srtp.ParseKeyLogLine(line)
	if ok {
		h.mu.Lock()
		if !h.over {
			h.secrets.ClientRandom, h.secrets.Master = random, master
		}
		h.mu.Unlock()
	}
	return len(line), nil
}

// serverHello takes our own ServerHello, and sends it as it is.
func (h *handshake) serverHello(m dtlshandshake.MessageServerHello) dtlshandshake.Message {
	profile, hash, ok := negotiated(&m)
	random := m.Random.MarshalFixed()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.over {
		h.secrets.ServerRandom, h.secrets.Hash = random[:], hash
		h.profile, h.hello = profile, ok
	}
	return &m
}

// negotiated reads from a ServerHello how media is protected, and the hash of the
// pseudo-random function.
func negotiated(m *dtlshandshake.MessageServerHello) (profile srtp.Profile, hash crypto.Hash, ok bool) {
	if m.CipherSuiteID == nil {
		return 0, 0, false
	}
	hash, ok = srtp.HashForCipherSuite(*m.CipherSuiteID)
	for _, e := range m.Extensions {
		use, isSRTP := e.(*extension.UseSRTP)
		if isSRTP && len(use.ProtectionProfiles) == 1 && len(use.MasterKeyIdentifier) == 0 {
			profile = srtp.Profile(use.ProtectionProfiles[0])
		}
	}
	return profile, hash, ok && profile.Supported()
}

// keys derives the keys once the handshake is complete, and forgets what they were
// derived from: it returns nil the next time, as it does if something is missing.
func (h *handshake) keys() *srtp.Keys {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return nil
	}
	h.over = true
	defer h.secrets.Wipe()
	if !h.hello || len(h.secrets.Master) == 0 {
		return nil
	}
	keys, err := srtp.DeriveKeys(&h.secrets, h.profile)
	if err != nil {
		return nil
	}
	return keys
}

// wipe forgets everything.
func (h *handshake) wipe() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
	h.secrets.Wipe()
}
