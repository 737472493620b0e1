package webserver

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"galene/config"
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

	// selfSignedName is the name of the file that keeps a self-signed
	// certificate with its key, so that visitors who have accepted it need not
	// do so again after the next start.
	selfSignedName = "self-signed.pem"
	// maxAddresses bounds the addresses in a self-signed certificate.
	maxAddresses = 16
)

// selfSignedLocked returns the self-signed certificate: the one in memory, or in
// the file, or else a new one.
func (c *certificates) selfSignedLocked() (*tls.Certificate, error) {
	now := c.now()
	if c.selfSigned != nil && now.Before(c.selfSigned.Leaf.NotAfter.Add(-selfSignedRenewal)) {
		return c.selfSigned, nil
	}
	names := selfSignedNames(c.settings())
	kept, err := readSelfSigned(c.selfSignedFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.log.Warn("self-signed certificate not read", "file", c.selfSignedFile, "error", err)
	}
	if err == nil && suits(kept.Leaf, names, now) {
		c.selfSigned = kept
		return kept, nil
	}
	made, err := newSelfSigned(now, names)
	if err != nil {
		return nil, fmt.Errorf("make self-signed certificate: %w", err)
	}
	c.selfSigned = made
	if err := c.keep(made); err != nil {
		c.log.Warn("self-signed certificate not kept, there will be another one at the next start", "error", err)
	}
	return made, nil
}

// selfSignedNames lists the names by which the server is known, its host's and
// those in the configuration.
func selfSignedNames(settings *config.Settings) []string {
	names := []string{"localhost"}
	if host, err := os.Hostname(); err == nil {
		names = append(names, host)
	}
	for _, text := range []string{"//" + settings.CanonicalHost, settings.ProxyURL} {
		if u, err := url.Parse(text); err == nil {
			names = append(names, u.Hostname())
		}
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" })
}

// suits reports whether a certificate is good for all names, and for some time.
func suits(leaf *x509.Certificate, names []string, now time.Time) bool {
	return now.After(leaf.NotBefore) && now.Before(leaf.NotAfter.Add(-selfSignedRenewal)) &&
		!slices.ContainsFunc(names, func(name string) bool { return leaf.VerifyHostname(name) != nil })
}

// readSelfSigned reads the certificate and the key in the file at path.
func readSelfSigned(path string) (*tls.Certificate, error) {
	data, _, err := config.Read(path)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(data, data)
	if err != nil {
		return nil, err
	}
	return &pair, nil
}

// keep stores a certificate with its key, unless there is no data directory.
func (c *certificates) keep(certificate *tls.Certificate) error {
	if _, err := os.Stat(filepath.Dir(filepath.Dir(c.selfSignedFile))); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		return err
	}
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	data = append(data, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	if err := os.Remove(c.selfSignedFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return config.Create(c.selfSignedFile, data)
}

// newSelfSigned makes a certificate for names, which may be addresses, and for
// this machine's addresses, with a new ECDSA key on P-256.
func newSelfSigned(now time.Time, names []string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(selfSignedValidity),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IPAddresses:           machineAddresses(),
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	return sign(template, template, key, key)
}

// sign makes a certificate.
func sign(template, parent *x509.Certificate, key *ecdsa.PrivateKey, parentKey crypto.Signer) (*tls.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// machineAddresses lists the addresses of this machine, those of the loopback
// interface first.
func machineAddresses() []net.IP {
	addresses := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	interfaces, err := net.InterfaceAddrs()
	if err != nil {
		return addresses
	}
	for _, address := range interfaces {
		network, ok := address.(*net.IPNet)
		if ok && network.IP.IsGlobalUnicast() && len(addresses) < maxAddresses {
			addresses = append(addresses, network.IP)
		}
	}
	return addresses
}
