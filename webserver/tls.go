package webserver

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/crypto/acme"

	"galene/config"
)

// certificates chooses the server's certificate: cert.pem and key.pem of a
// directory if they exist, else one from an authority if the configuration names
// it and the client asks for one of its hosts, else a self-signed one. Its
// methods may be called from any goroutine.
type certificates struct {
	// Immutable.
	certFile, keyFile string
	selfSignedFile    string
	authority         *authority // nil if there is none
	settings          func() *config.Settings
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
func newCertificates(o Options, now func() time.Time) *certificates {
	c := &certificates{
		certFile:       filepath.Join(o.Data, "cert.pem"),
		keyFile:        filepath.Join(o.Data, "key.pem"),
		selfSignedFile: filepath.Join(o.Data, "var", selfSignedName),
		authority:      newAuthority(o.Settings().ACME, filepath.Join(o.Data, "var", "acme"), o.Log),
		settings:       o.Settings,
		now:            now,
		log:            o.Log,
	}
	certificate, err := c.get(nil)
	switch {
	case err != nil || certificate != c.selfSigned:
	case c.authority != nil:
		c.log.Info("certificates come from an authority, which has to reach this server on port 443", "hosts", c.authority.hosts)
	default:
		c.log.Info("there is no certificate: using a self-signed one, which browsers warn about",
			"cert", c.certFile, "key", c.keyFile)
	}
	return c
}

// config returns a TLS configuration that asks c at each handshake.
func (c *certificates) config() *tls.Config {
	config := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: c.get,
		NextProtos:     []string{"h2", "http/1.1"},
	}
	if c.authority != nil {
		config.NextProtos = append(config.NextProtos, acme.ALPNProto)
	}
	return config
}

// errNoTLS says that there is no certificate.
var errNoTLS = errors.New("the server speaks plain HTTP")

// Certificate returns the server's certificate of the moment, for others who
// serve its clients. It is fit for tls.Config's GetCertificate, and fails if the
// server speaks plain HTTP.
func (s *Server) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if s.certificates == nil {
		return nil, errNoTLS
	}
	return s.certificates.get(hello)
}

// get returns the certificate to use now, for hello, which may be nil. It looks
// at the files at each call.
//
// While they are broken, or one of them is missing, the last good pair stays
// in use; without one there is an error, because who installs a certificate
// does not want another one to be used in silence.
func (c *certificates) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if certificate, err := c.installed(); certificate != nil || err != nil {
		return certificate, err
	}
	if c.authority.covers(hello) {
		return c.authority.get(hello)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.selfSignedLocked()
}

// installed returns the certificate in the files, nil if there are none.
func (c *certificates) installed() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	version, err := c.version()
	if err != nil {
		c.failLocked(err)
	} else if version != c.seen {
		c.seen = version
		c.loadLocked()
	}
	if c.loaded != nil {
		return c.loaded, nil
	}
	return nil, c.failure
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
