package webserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	// selfSignedValidity is how long a self-signed certificate lasts; browsers
	// distrust longer ones than 398 days.
	selfSignedValidity = 365 * 24 * time.Hour
	// selfSignedRenewal is how long before its end a self-signed certificate
	// is replaced.
	selfSignedRenewal = 30 * 24 * time.Hour
	// clockSkew is how far a client's clock may lag behind ours.
	clockSkew = time.Hour
)

// certificates chooses the server's certificate: cert.pem and key.pem of a
// directory if they exist, otherwise a self-signed one that lives in memory.
// Its methods may be called from any goroutine.
type certificates struct {
	// Immutable.
	certFile, keyFile string
	now               func() time.Time
	log               *slog.Logger

	mu         sync.Mutex       // guards the fields below
	seen       pairVersion      // the files that were last read
	loaded     *tls.Certificate // the last good pair; nil if there was none
	failure    error            // why the files that were last read are unusable; nil if they are not
	selfSigned *tls.Certificate // nil until needed
}

// pairVersion tells one version of the two files from another. It is zero
// when neither exists.
type pairVersion struct {
	cert, key fileVersion
}

// fileVersion is zero for a file that does not exist.
type fileVersion struct {
	exists  bool
	size    int64
	modTime time.Time
}

// newCertificates makes the choice once, so that what is wrong is logged at
// the start and not at the first visit.
func newCertificates(directory string, now func() time.Time, log *slog.Logger) *certificates {
	c := &certificates{
		certFile: filepath.Join(directory, "cert.pem"),
		keyFile:  filepath.Join(directory, "key.pem"),
		now:      now,
		log:      log,
	}
	if certificate, err := c.get(nil); err == nil && certificate == c.selfSigned {
		log.Info("there is no certificate: using a self-signed one, which browsers warn about",
			"cert", c.certFile, "key", c.keyFile)
	}
	return c
}

// config returns a TLS configuration that asks c at each handshake.
func (c *certificates) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: c.get,
	}
}

// get returns the certificate to use now. It looks at the files at each call.
//
// While they are broken, or one of them is missing, the last good pair stays
// in use; without one there is an error, because who installs a certificate
// does not want another one to be used in silence.
func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()

	version, err := c.version()
	if err != nil {
		c.failLocked(err)
	} else if version != c.seen {
		c.seen = version
		c.loadLocked()
	}

	switch {
	case c.loaded != nil:
		return c.loaded, nil
	case c.failure != nil:
		return nil, c.failure
	default:
		return c.selfSignedLocked()
	}
}

// ready reports whether there is a certificate to use.
func (c *certificates) ready() bool {
	_, err := c.get(nil)
	return err == nil
}

// loadLocked reads the files that c.seen is about.
func (c *certificates) loadLocked() {
	if c.seen == (pairVersion{}) {
		c.failure = nil
		if c.loaded != nil {
			c.log.Warn("the certificate was removed: still using it", "cert", c.certFile)
		}
		return
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		c.failure = nil // the files changed, so it is news
		c.failLocked(err)
		return
	}
	c.loaded, c.failure = &pair, nil
	c.log.Info("certificate loaded", "cert", c.certFile, "expires", pair.Leaf.NotAfter)
}

// failLocked notes that the files are unusable, and logs it unless it is known.
func (c *certificates) failLocked(err error) {
	if c.failure == nil {
		c.log.Error("cannot use the certificate", "cert", c.certFile, "key", c.keyFile, "error", err,
			"using_previous", c.loaded != nil)
	}
	c.failure = fmt.Errorf("load certificate: %w", err)
}

func (c *certificates) version() (pairVersion, error) {
	cert, err := versionOf(c.certFile)
	if err != nil {
		return pairVersion{}, err
	}
	key, err := versionOf(c.keyFile)
	return pairVersion{cert, key}, err
}

func versionOf(path string) (fileVersion, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fileVersion{}, nil
	}
	if err != nil {
		return fileVersion{}, err
	}
	return fileVersion{exists: true, size: info.Size(), modTime: info.ModTime()}, nil
}

func (c *certificates) selfSignedLocked() (*tls.Certificate, error) {
	now := c.now()
	if c.selfSigned != nil && now.Before(c.selfSigned.Leaf.NotAfter.Add(-selfSignedRenewal)) {
		return c.selfSigned, nil
	}
	certificate, err := newSelfSigned(now)
	if err != nil {
		return nil, fmt.Errorf("make self-signed certificate: %w", err)
	}
	c.selfSigned = certificate
	return certificate, nil
}

// newSelfSigned makes a certificate for this machine's names, with a new
// ECDSA key on P-256.
func newSelfSigned(now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	names := []string{"localhost"}
	if host, err := os.Hostname(); err == nil && host != "" && host != "localhost" {
		names = append(names, host)
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(selfSignedValidity),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              names,
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}
