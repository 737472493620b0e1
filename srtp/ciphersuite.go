package srtp

import "crypto"

// HashForCipherSuite returns the hash function that the pseudo-random function uses with a cipher suite
// of TLS 1.2 (RFC 5246 §5: SHA-256 unless the suite says otherwise). ok is false for suites
// that are not known to be negotiable in DTLS 1.2 here: the hash of these must not be guessed.
func HashForCipherSuite(id uint16) (hash crypto.Hash, ok bool) {
	switch id {
	case 0xc02c, // TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
		0xc030: // TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
		return crypto.SHA384, true
	case 0xc02b, // TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
		0xc02f, // TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
		0xcca9, // TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
		0xcca8, // TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
		0xc00a, // TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA
		0xc014, // TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA
		0xc0ac, // TLS_ECDHE_ECDSA_WITH_AES_128_CCM
		0xc0ae, // TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8
		0xc0a4, // TLS_PSK_WITH_AES_128_CCM
		0xc0a8, // TLS_PSK_WITH_AES_128_CCM_8
		0xc0a9, // TLS_PSK_WITH_AES_256_CCM_8
		0x00a8, // TLS_PSK_WITH_AES_128_GCM_SHA256
		0x00ae, // TLS_PSK_WITH_AES_128_CBC_SHA256
		0xc037, // TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256
		0xccab: // TLS_PSK_WITH_CHACHA20_POLY1305_SHA256
		return crypto.SHA256, true
	default:
		return 0, false
	}
}
