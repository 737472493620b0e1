package turnserver

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"strings"
)

// secureName is the name under which clients that check certificates may reach
// the server, empty if there is none.
func (s *Server) secureName() string {
	if s.options.TLS == nil || s.options.TLS.GetCertificate == nil {
		return ""
	}
	host := s.policy.reach.Load().Host
	certificate, err := s.options.TLS.GetCertificate(&tls.ClientHelloInfo{ServerName: host})
	if err != nil || len(certificate.Certificate) == 0 {
		return ""
	}
	leaf := certificate.Leaf
	if leaf == nil {
		if leaf, err = x509.ParseCertificate(certificate.Certificate[0]); err != nil {
			return ""
		}
	}
	return certifiedName(leaf, host)
}

// certifiedName chooses a name that leaf is for: host if possible. A certificate
// that its own subject signed convinces nobody, so it has none.
func certifiedName(leaf *x509.Certificate, host string) string {
	if bytes.Equal(leaf.RawSubject, leaf.RawIssuer) {
		return ""
	}
	if host != "" && leaf.VerifyHostname(host) == nil {
		return host
	}
	for _, name := range leaf.DNSNames {
		if strings.Contains(name, ".") && !strings.Contains(name, "*") {
			return name
		}
	}
	return ""
}
