package webserver

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"galene/config"
	"galene/internal/testlog"
)

// certificateOptions are for a server whose data are in directory.
func certificateOptions(directory string, log io.Writer) Options {
	settings := new(config.Settings)
	return Options{
		Data: directory, Log: slog.New(slog.NewTextHandler(log, nil)),
		Settings: func() *config.Settings { return settings },
	}
}

// newPair returns a new certificate and its key in PEM.
func newPair(t *testing.T) (cert, key string) {
	t.Helper()
	pair, err := newSelfSigned(time.Now(), []string{"localhost"})
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// install writes a file whose modification time differs from all others.
func install(t *testing.T, path, contents string, version int) {
	t.Helper()
	write(t, path, contents)
	modified := time.Unix(1700000000+int64(version), 0)
	if err := os.Chtimes(path, modified, modified); err != nil {
		t.Fatal(err)
	}
}

func pemOf(t *testing.T, c *certificates) string {
	t.Helper()
	certificate, err := c.get(nil)
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}))
}

func TestCertificateIsReloaded(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	certFile, keyFile := filepath.Join(directory, "cert.pem"), filepath.Join(directory, "key.pem")
	cert1, key1 := newPair(t)
	cert2, key2 := newPair(t)
	install(t, certFile, cert1, 1)
	install(t, keyFile, key1, 1)
	log := new(testlog.Journal)
	c := newCertificates(certificateOptions(directory, log), time.Now)
	if got := pemOf(t, c); got != cert1 {
		t.Fatal("the installed certificate is not used")
	}

	install(t, certFile, cert2, 2)
	for range 3 {
		if got := pemOf(t, c); got != cert1 {
			t.Fatal("the last good pair is not used while the new certificate lacks its key")
		}
	}
	if n := log.Count("cannot use the certificate"); n != 1 {
		t.Errorf("the mismatch was logged %d times, want once", n)
	}

	install(t, keyFile, key2, 2)
	if got := pemOf(t, c); got != cert2 {
		t.Fatal("the new pair is not used")
	}

	install(t, certFile, "rubbish", 3)
	if got := pemOf(t, c); got != cert2 {
		t.Fatal("the last good pair is not used while the new one is rubbish")
	}
	if err := os.Remove(certFile); err != nil {
		t.Fatal(err)
	}
	if got := pemOf(t, c); got != cert2 {
		t.Fatal("the last good pair is not used while the certificate is missing")
	}
	if err := os.Remove(keyFile); err != nil {
		t.Fatal(err)
	}
	if got := pemOf(t, c); got != cert2 {
		t.Fatal("the last good pair is not used after it was removed")
	}

	install(t, certFile, cert1, 4)
	install(t, keyFile, key1, 4)
	if got := pemOf(t, c); got != cert1 {
		t.Fatal("the pair that came back is not used")
	}
}

func TestBrokenCertificateIsNotReplacedInSilence(t *testing.T) {
	t.Parallel()
	cert, key := newPair(t)
	tests := []struct {
		name  string
		files map[string]string
	}{
		{"no key", map[string]string{"cert.pem": cert}},
		{"no certificate", map[string]string{"key.pem": key}},
		{"rubbish", map[string]string{"cert.pem": "rubbish", "key.pem": key}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			directory := t.TempDir()
			for name, contents := range tt.files {
				write(t, filepath.Join(directory, name), contents)
			}
			log := new(testlog.Journal)
			c := newCertificates(certificateOptions(directory, log), time.Now)
			for range 2 {
				if _, err := c.get(nil); err == nil {
					t.Error("get gave a certificate, want an error")
				}
			}
			if n := log.Count("cannot use the certificate"); n != 1 {
				t.Errorf("logged %d times, want once", n)
			}
		})
	}
}

func TestSelfSignedCertificate(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	c := newCertificates(certificateOptions(t.TempDir(), io.Discard), func() time.Time { return now })
	first, err := c.get(nil)
	if err != nil {
		t.Fatal(err)
	}
	leaf := first.Leaf
	if key, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("public key is a %T, want ECDSA on P-256", leaf.PublicKey)
	}
	names := []string{"localhost", "127.0.0.1", "::1"}
	if host, err := os.Hostname(); err == nil {
		names = append(names, host)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	for _, name := range names {
		if _, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: now}); err != nil {
			t.Errorf("not valid for %s: %v", name, err)
		}
	}

	now = leaf.NotAfter.Add(-selfSignedRenewal - time.Hour)
	if again, err := c.get(nil); err != nil || again != first {
		t.Errorf("replaced before it is time, error %v", err)
	}
	now = leaf.NotAfter.Add(-time.Hour)
	if again, err := c.get(nil); err != nil || !again.Leaf.NotAfter.After(now.Add(300*24*time.Hour)) {
		t.Errorf("not replaced before it expires, error %v", err)
	}
}

func TestServeTLS(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(o *Options) { o.Insecure = false })
	address := f.serve(t)

	dial := func(config *tls.Config) (*tls.Conn, error) {
		config.InsecureSkipVerify = true // self-signed; its names are tested elsewhere
		return tls.DialWithDialer(&net.Dialer{Timeout: 30 * time.Second}, "tcp", address, config)
	}
	connection, err := dial(&tls.Config{NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := connection.ConnectionState().NegotiatedProtocol; got != "h2" {
		t.Errorf("negotiated %q, want h2", got)
	}
	certificate, err := f.Certificate(&tls.ClientHelloInfo{})
	if err != nil || !bytes.Equal(certificate.Certificate[0], connection.ConnectionState().PeerCertificates[0].Raw) {
		t.Errorf("Certificate() is not the one that clients get, error %v", err)
	}
	_ = connection.Close()
	if connection, err := dial(&tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}); err == nil {
		_ = connection.Close()
		t.Error("TLS 1.1 was accepted")
	}
}

func TestPlainServerHasNoCertificateForOthers(t *testing.T) {
	t.Parallel()
	if c, err := newFixture(t, nil).Certificate(&tls.ClientHelloInfo{}); err == nil {
		t.Errorf("Certificate() = %v, want an error", c)
	}
}

func TestSelfSignedCertificateIsKept(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	file := filepath.Join(directory, "var", selfSignedName)
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	settings := new(config.Settings)
	start := func() string {
		t.Helper()
		o := certificateOptions(directory, io.Discard)
		o.Settings = func() *config.Settings { return settings }
		return pemOf(t, newCertificates(o, func() time.Time { return now }))
	}

	first := start()
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("kept as %v, %v", info, err)
	}
	if again := start(); again != first {
		t.Error("there is another certificate after the next start")
	}
	settings = &config.Settings{CanonicalHost: "meet.example.org:8443", ProxyURL: "https://192.0.2.7/"}
	named := start()
	if named == first {
		t.Error("a certificate without the server's names is still used")
	}
	if again := start(); again != named {
		t.Error("the certificate with the server's names is not kept")
	}
	block, _ := pem.Decode([]byte(named))
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"localhost", "127.0.0.1", "meet.example.org", "192.0.2.7"} {
		if err := leaf.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
	now = leaf.NotAfter.Add(-selfSignedRenewal + time.Hour)
	late := start()
	if late == named {
		t.Error("the certificate is used to its end")
	}
	write(t, file, "rubbish")
	if mended := start(); mended == late || start() != mended {
		t.Error("rubbish is not replaced")
	}
}

func TestSelfSignedCertificateWithoutDataDirectory(t *testing.T) {
	t.Parallel()
	directory := filepath.Join(t.TempDir(), "data")
	pemOf(t, newCertificates(certificateOptions(directory, io.Discard), time.Now))
	if _, err := os.Stat(directory); !os.IsNotExist(err) {
		t.Errorf("the data directory was made: %v", err)
	}
}
