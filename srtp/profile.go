package srtp

// Profile is a protection profile by its number in DTLS (RFC 5764 §4.1.2, RFC 7714 §14.2).
type Profile uint16

// The profiles that this package has.
const (
	AES128_CM_HMAC_SHA1_80 Profile = 0x0001
	AEAD_AES_128_GCM       Profile = 0x0007
	AEAD_AES_256_GCM       Profile = 0x0008
)

// parameters are the sizes of one profile, in octets. Session keys are as long as master keys.
type parameters struct {
	name    string
	keyLen  int
	saltLen int
	tagLen  int
	aead    bool
}

// parameters returns the sizes of p. ok is false if this package does not have p.
func (p Profile) parameters() (params parameters, ok bool) {
	switch p {
	case AES128_CM_HMAC_SHA1_80:
		return parameters{name: "AES128_CM_HMAC_SHA1_80", keyLen: 16, saltLen: 14, tagLen: 10}, true
	case AEAD_AES_128_GCM:
		return parameters{name: "AEAD_AES_128_GCM", keyLen: 16, saltLen: 12, tagLen: 16, aead: true}, true
	case AEAD_AES_256_GCM:
		return parameters{name: "AEAD_AES_256_GCM", keyLen: 32, saltLen: 12, tagLen: 16, aead: true}, true
	default:
		return parameters{name: "unsupported profile"}, false
	}
}

// Supported reports whether this package has p.
func (p Profile) Supported() bool {
	_, ok := p.parameters()
	return ok
}

// Overhead returns by how many octets a sealed packet is longer than a plain one; 0 if p is not
// supported.
func (p Profile) Overhead() int {
	params, _ := p.parameters()
	return params.tagLen
}

// String returns the name of p in the registry of IANA.
func (p Profile) String() string {
	params, _ := p.parameters()
	return params.name
}
