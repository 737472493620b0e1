package srtp

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/selfsign"
	dtlsnet "github.com/pion/dtls/v3/pkg/net"
	dtlshandshake "github.com/pion/dtls/v3/pkg/protocol/handshake"
	pionsrtp "github.com/pion/srtp/v3"
)

// side is what one end of a handshake of DTLS ended with.
type side struct {
	state        dtls.State
	keyLog       bytes.Buffer
	serverRandom [32]byte // on the server
}

// handshake connects a client and a server through memory.
func handshake(t *testing.T, key crypto.PrivateKey, suite dtls.CipherSuiteID, p Profile) (client, server *side) {
	t.Helper()
	certificate, err := selfsign.SelfSign(key)
	if err != nil {
		t.Fatal(err)
	}
	client, server = new(side), new(side)
	shared := []dtls.Option{
		dtls.WithCertificates(certificate), dtls.WithCipherSuites(suite),
		dtls.WithSRTPProtectionProfiles(dtls.SRTPProtectionProfile(p)), dtls.WithInsecureSkipVerify(true),
	}
	clientOptions := []dtls.ClientOption{dtls.WithKeyLogWriter(&client.keyLog)}
	serverOptions := []dtls.ServerOption{
		dtls.WithKeyLogWriter(&server.keyLog),
		dtls.WithServerHelloMessageHook(func(m dtlshandshake.MessageServerHello) dtlshandshake.Message {
			server.serverRandom = m.Random.MarshalFixed()
			return &m
		}),
	}
	for _, o := range shared {
		clientOptions, serverOptions = append(clientOptions, o), append(serverOptions, o)
	}
	near, far := net.Pipe()
	clientConn, err := dtls.ClientWithOptions(dtlsnet.PacketConnFromConn(near), near.RemoteAddr(), clientOptions...)
	if err != nil {
		t.Fatal(err)
	}
	serverConn, err := dtls.ServerWithOptions(dtlsnet.PacketConnFromConn(far), far.RemoteAddr(), serverOptions...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		near.Close()
		far.Close()
		clientConn.Close()
		serverConn.Close()
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	failed := make(chan error, 1)
	go func() { failed <- serverConn.HandshakeContext(ctx) }()
	if err := clientConn.HandshakeContext(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	client.state, server.state = state(t, clientConn), state(t, serverConn)
	return client, server
}

// state returns the state of a connection whose handshake is over.
func state(t *testing.T, c *dtls.Conn) dtls.State {
	t.Helper()
	s, ok := c.ConnectionState()
	if !ok {
		t.Fatal("no state after the handshake")
	}
	return s
}

func TestKeysAreThoseOfDTLS(t *testing.T) {
	t.Parallel()
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		suite    dtls.CipherSuiteID
		key      crypto.PrivateKey
		profiles []Profile
	}{
		{dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, ecKey, profiles},
		{dtls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, ecKey, profiles},
		{dtls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, rsaKey, profiles[:1]},
		{dtls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, rsaKey, profiles[1:2]},
		{dtls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, ecKey, profiles[2:]},
		{dtls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, ecKey, profiles[1:2]},
		{dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM, ecKey, profiles[1:2]},
	} {
		for _, p := range test.profiles {
			t.Run(fmt.Sprintf("%v/%v", test.suite, p), func(t *testing.T) {
				t.Parallel()
				client, server := handshake(t, test.key, test.suite, p)
				compareKeys(t, client, server, test.suite, p)
			})
		}
	}
}

// compareKeys checks that both sides' key logs give the keys that pion extracts.
func compareKeys(t *testing.T, client, server *side, suite dtls.CipherSuiteID, p Profile) {
	t.Helper()
	hash, ok := HashForCipherSuite(uint16(suite))
	if !ok {
		t.Fatalf("no hash for %v", suite)
	}
	wantRandom := server.state.RemoteRandomBytes() // without its first four octets, the time
	want := pionsrtp.Config{Profile: pionsrtp.ProtectionProfile(p)}
	if err := want.ExtractSessionKeysFromDTLS(&server.state, false); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*side{"client": client, "server": server} {
		clientRandom, master, ok := ParseKeyLogLine(s.keyLog.Bytes())
		if !ok {
			t.Fatalf("%s: key log %q is not understood", name, s.keyLog.String())
		}
		if !bytes.Equal(clientRandom[4:], wantRandom[:]) {
			t.Errorf("%s: client random %x, want %x", name, clientRandom, wantRandom)
		}
		keys, err := DeriveKeys(&Secrets{
			Master: master, ClientRandom: clientRandom, ServerRandom: server.serverRandom[:], Hash: hash,
		}, p)
		if err != nil {
			t.Fatal(err)
		}
		params, _ := p.parameters()
		for isServer, want := range map[bool][2][]byte{
			true:  {want.Keys.LocalMasterKey, want.Keys.LocalMasterSalt},
			false: {want.Keys.RemoteMasterKey, want.Keys.RemoteMasterSalt},
		} {
			key, salt := keys.master(isServer, params)
			if !bytes.Equal(key, want[0]) || !bytes.Equal(salt, want[1]) {
				t.Errorf("%s, server's keys %v: %x and %x, want %x and %x", name, isServer, key, salt, want[0], want[1])
			}
		}
	}
}

func TestEverySuiteOfDTLSHasItsHash(t *testing.T) {
	t.Parallel()
	suites := dtls.CipherSuites()
	if len(suites) < 10 {
		t.Fatalf("only %d suites to check", len(suites))
	}
	for _, suite := range suites {
		want := crypto.SHA256
		if strings.HasSuffix(suite.Name, "_SHA384") {
			want = crypto.SHA384
		}
		if got, ok := HashForCipherSuite(suite.ID); !ok || got != want {
			t.Errorf("%s: hash %v, %v, want %v", suite.Name, got, ok, want)
		}
	}
	for _, id := range []uint16{0, 0x1301, 0x1302, 0xffff} {
		if got, ok := HashForCipherSuite(id); ok {
			t.Errorf("suite %#04x has hash %v, want none", id, got)
		}
	}
}
