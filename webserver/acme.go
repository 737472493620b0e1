package webserver

import (
	"crypto/tls"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
	"golang.org/x/net/idna"

	"galene/config"
)

// failureInterval is how often at most it is logged that there is no certificate.
const failureInterval = 10 * time.Minute

// authority gets certificates from an authority that speaks ACME (RFC 8555),
// when somebody first asks for one, and renews them in time. The authority sees
// that a host is ours by connecting to port 443 of it (RFC 8737). A nil
// authority covers nothing.
type authority struct {
	// Immutable.
	hosts   []string // in lower case, in ASCII
	manager *autocert.Manager
	log     *slog.Logger

	mu    sync.Mutex // guards the field below
	quiet time.Time  // failures are not logged until then
}

// newAuthority returns nil if there is no configuration. Certificates and the
// account's key are kept in directory.
func newAuthority(o *config.ACME, directory string, log *slog.Logger) *authority {
	if o == nil {
		return nil
	}
	hosts := slices.Clone(o.Hosts)
	for i, host := range hosts {
		hosts[i] = strings.ToLower(strings.TrimSuffix(host, "."))
		if ascii, err := idna.Lookup.ToASCII(hosts[i]); err == nil {
			hosts[i] = ascii
		}
	}
	a := &authority{hosts: hosts, log: log}
	a.manager = &autocert.Manager{
		Prompt:     autocert.AcceptTOS, // whoever configures an authority agrees
		Cache:      autocert.DirCache(directory),
		HostPolicy: autocert.HostWhitelist(hosts...),
		Email:      o.Email,
		Client:     &acme.Client{DirectoryURL: o.Directory, UserAgent: "galene"},
	}
	return a
}

// covers reports whether the certificate that a client wants comes from the
// authority.
func (a *authority) covers(hello *tls.ClientHelloInfo) bool {
	return a != nil && hello != nil &&
		slices.Contains(a.hosts, strings.ToLower(strings.TrimSuffix(hello.ServerName, ".")))
}

// get returns a certificate, which may take minutes at first. It logs what goes
// wrong, but not for everybody who comes meanwhile.
func (a *authority) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	certificate, err := a.manager.GetCertificate(hello)
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	switch {
	case err == nil:
		a.quiet = time.Time{}
	case now.After(a.quiet):
		a.quiet = now.Add(failureInterval)
		a.log.Error("no certificate from the authority", "host", hello.ServerName, "error", err)
	}
	return certificate, err
}
