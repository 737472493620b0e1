package webserver

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/acme"

	"galene/config"
)

// acmeServer is an authority that speaks as much of ACME as is needed to get a
// certificate for one host, which it finds at the given address.
type acmeServer struct {
	*httptest.Server
	t       *testing.T
	root    *tls.Certificate
	address string // of the server that is to prove that it is the host

	mu     sync.Mutex // guards the fields below
	nonce  int
	key    *ecdsa.PublicKey // of the account
	host   string
	valid  bool // the host has proved itself
	chain  []byte
	orders int
	email  string
}

const acmeToken = "the-token-of-the-challenge"

func newACMEServer(t *testing.T) *acmeServer {
	t.Helper()
	now := time.Now()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour * 24 * 365),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	root, err := sign(template, template, key, key)
	if err != nil {
		t.Fatal(err)
	}
	s := &acmeServer{t: t, root: root}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *acmeServer) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.root.Leaf)
	return pool
}

func (s *acmeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nonce++
	w.Header().Set("Replay-Nonce", fmt.Sprint("nonce", s.nonce))
	if r.URL.Path == "/dir" {
		s.reply(w, 200, map[string]string{"newNonce": s.URL + "/nonce", "newAccount": s.URL + "/account", "newOrder": s.URL + "/order"})
		return
	}
	if r.URL.Path == "/nonce" {
		return
	}
	payload, err := s.open(r)
	if err != nil {
		s.t.Errorf("%s: %v", r.URL.Path, err)
		s.reply(w, 400, map[string]string{"type": "urn:ietf:params:acme:error:malformed", "detail": err.Error()})
		return
	}
	s.answer(w, r.URL.Path, payload)
}

func (s *acmeServer) reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// message is what all requests consist of, decoded.
type message struct {
	Contact            []string
	OnlyReturnExisting bool
	Identifiers        []struct{ Type, Value string }
	CSR                string
}

// answer replies to a signed request.
func (s *acmeServer) answer(w http.ResponseWriter, path string, m message) {
	status := map[bool]string{true: "valid", false: "pending"}
	switch path {
	case "/account":
		if m.OnlyReturnExisting {
			s.reply(w, 400, map[string]string{"type": "urn:ietf:params:acme:error:accountDoesNotExist"})
			return
		}
		s.email = strings.Join(m.Contact, " ")
		w.Header().Set("Location", s.URL+"/account/1")
		s.reply(w, 201, map[string]any{"status": "valid", "contact": m.Contact})
	case "/order":
		s.host, s.valid, s.chain = m.Identifiers[0].Value, false, nil
		s.orders++
		w.Header().Set("Location", s.URL+"/order/1")
		s.reply(w, 201, s.order())
	case "/order/1":
		s.reply(w, 200, s.order())
	case "/authorisation":
		s.reply(w, 200, map[string]any{
			"status": status[s.valid], "identifier": map[string]string{"type": "dns", "value": s.host},
			"challenges": []any{s.challenge()},
		})
	case "/challenge":
		if err := s.prove(); err != nil {
			s.t.Errorf("challenge: %v", err)
		}
		s.reply(w, 200, s.challenge())
	case "/finalise":
		if err := s.issue(m.CSR); err != nil {
			s.t.Errorf("issue: %v", err)
		}
		w.Header().Set("Location", s.URL+"/order/1")
		s.reply(w, 200, s.order())
	case "/certificate":
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		_, _ = w.Write(s.chain)
	default:
		s.t.Errorf("unexpected request for %s", path)
		s.reply(w, 404, map[string]string{})
	}
}

func (s *acmeServer) order() map[string]any {
	order := map[string]any{
		"status": "pending", "authorizations": []string{s.URL + "/authorisation"}, "finalize": s.URL + "/finalise", //nolint:misspell // the protocol's word
		"identifiers": []any{map[string]string{"type": "dns", "value": s.host}},
	}
	switch {
	case s.chain != nil:
		order["status"], order["certificate"] = "valid", s.URL+"/certificate"
	case s.valid:
		order["status"] = "ready"
	}
	return order
}

func (s *acmeServer) challenge() map[string]any {
	status := "pending"
	if s.valid {
		status = "valid"
	}
	return map[string]any{"type": "tls-alpn-01", "url": s.URL + "/challenge", "token": acmeToken, "status": status}
}

// open takes a signed request apart (RFC 7515) and checks the signature.
func (s *acmeServer) open(r *http.Request) (m message, err error) {
	var envelope struct{ Protected, Payload, Signature string }
	if err := json.NewDecoder(r.Body).Decode(&envelope); err != nil {
		return m, err
	}
	decode := base64.RawURLEncoding.DecodeString
	protected, err := decode(envelope.Protected)
	if err != nil {
		return m, err
	}
	var header struct{ JWK *struct{ X, Y string } }
	if err := json.Unmarshal(protected, &header); err != nil {
		return m, err
	}
	if header.JWK != nil {
		x, errX := decode(header.JWK.X)
		y, errY := decode(header.JWK.Y)
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
		if err := errors.Join(errX, errY, err); err != nil {
			return m, err
		}
		s.key = key
	}
	signature, err := decode(envelope.Signature)
	if err != nil || len(signature) != 64 || s.key == nil {
		return m, fmt.Errorf("signature of %d bytes: %w", len(signature), err)
	}
	digest := sha256.Sum256([]byte(envelope.Protected + "." + envelope.Payload))
	if !ecdsa.Verify(s.key, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		return m, errors.New("bad signature")
	}
	payload, err := decode(envelope.Payload)
	if err != nil || len(payload) == 0 {
		return m, err
	}
	return m, json.Unmarshal(payload, &m)
}

// prove connects to the host as RFC 8737 says.
func (s *acmeServer) prove() error {
	dialer := &net.Dialer{Timeout: 30 * time.Second}
	connection, err := tls.DialWithDialer(dialer, "tcp", s.address, &tls.Config{
		ServerName: s.host, NextProtos: []string{acme.ALPNProto}, InsecureSkipVerify: true,
	})
	if err != nil {
		return err
	}
	defer connection.Close()
	thumbprint, err := acme.JWKThumbprint(s.key)
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte(acmeToken + "." + thumbprint))
	want, err := asn1.Marshal(digest[:])
	if err != nil {
		return err
	}
	for _, extension := range connection.ConnectionState().PeerCertificates[0].Extensions {
		if extension.Id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}) && bytes.Equal(extension.Value, want) {
			s.valid = true
			return nil
		}
	}
	return errors.New("the certificate does not answer the challenge")
}

// issue makes the certificate that a request in base64url asks for.
func (s *acmeServer) issue(text string) error {
	der, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return err
	}
	request, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return err
	}
	key, ok := request.PublicKey.(*ecdsa.PublicKey)
	if !ok || !s.valid || len(request.DNSNames) != 1 || request.DNSNames[0] != s.host {
		return fmt.Errorf("request for %q, proved: %v", request.DNSNames, s.valid)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(s.orders) + 1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(90 * 24 * time.Hour),
		DNSNames: request.DNSNames, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	leaf, err := x509.CreateCertificate(rand.Reader, template, s.root.Leaf, key, s.root.PrivateKey)
	if err != nil {
		return err
	}
	s.chain = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf})
	s.chain = append(s.chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.root.Certificate[0]})...)
	return nil
}

// certified starts a server that gets its certificates from s.
func (s *acmeServer) certified(t *testing.T, data string) (f *fixture, address string) {
	t.Helper()
	f = newFixture(t, func(o *Options) {
		o.Insecure, o.Data = false, data
		settings := &config.Settings{ACME: &config.ACME{
			Hosts: []string{"Meet.example.org"}, Email: "admin@example.org", Directory: s.URL + "/dir",
		}}
		o.Settings = func() *config.Settings { return settings }
	})
	f.certificates.authority.manager.Client.HTTPClient = s.Client()
	return f, f.serve(t)
}

func dialTLS(address, name string, roots *x509.CertPool) (*tls.Conn, error) {
	dialer := &net.Dialer{Timeout: 30 * time.Second}
	return tls.DialWithDialer(dialer, "tcp", address, &tls.Config{
		ServerName: name, RootCAs: roots, NextProtos: []string{"h2", "http/1.1"},
	})
}

func TestCertificatesFromAnAuthority(t *testing.T) {
	t.Parallel()
	s := newACMEServer(t)
	data := t.TempDir()
	f, address := s.certified(t, data)
	s.address = address
	for range 2 {
		connection, err := dialTLS(address, "meet.example.org", s.pool())
		if err != nil {
			t.Fatal(err)
		}
		if got := connection.ConnectionState().NegotiatedProtocol; got != "h2" {
			t.Errorf("negotiated %q, want h2", got)
		}
		_ = connection.Close()
	}
	if s.orders != 1 || s.email != "mailto:admin@example.org" {
		t.Errorf("%d orders by %q, want one", s.orders, s.email)
	}
	// Other names are not for the authority.
	selfSigned := x509.NewCertPool()
	selfSigned.AddCert(f.certificates.selfSigned.Leaf)
	connection, err := dialTLS(address, "localhost", selfSigned)
	if err != nil {
		t.Fatalf("by another name: %v", err)
	}
	_ = connection.Close()

	// The certificate is there after the next start.
	_, address = s.certified(t, data)
	connection, err = dialTLS(address, "meet.example.org", s.pool())
	if err != nil {
		t.Fatal(err)
	}
	_ = connection.Close()
	if s.orders != 1 {
		t.Errorf("%d orders after the next start, want one", s.orders)
	}
}

func TestAnAuthorityThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	s := newACMEServer(t)
	s.Close()
	f, address := s.certified(t, t.TempDir())
	f.certificates.authority.manager.Client.RetryBackoff = func(int, *http.Request, *http.Response) time.Duration { return -1 }
	for range 2 {
		if connection, err := dialTLS(address, "meet.example.org", s.pool()); err == nil {
			_ = connection.Close()
			t.Error("there is a certificate from nowhere")
		}
	}
	if got := f.log.Count("no certificate from the authority"); got != 1 {
		t.Errorf("logged %d times, want once", got)
	}
	if got := f.do("GET", "/readyz").StatusCode; got != 200 {
		t.Errorf("GET /readyz = %d, want 200: other names work", got)
	}
}

func TestAnInstalledCertificateComesFirst(t *testing.T) {
	t.Parallel()
	s := newACMEServer(t)
	data := t.TempDir()
	cert, key := newPair(t)
	write(t, data+"/cert.pem", cert)
	write(t, data+"/key.pem", key)
	_, address := s.certified(t, data)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(cert))
	dialer := &net.Dialer{Timeout: 30 * time.Second}
	connection, err := tls.DialWithDialer(dialer, "tcp", address, &tls.Config{ServerName: "meet.example.org", InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, err := connection.ConnectionState().PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots}); err != nil || s.orders != 0 {
		t.Errorf("another certificate than the one installed, %v, after %d orders", err, s.orders)
	}
}
