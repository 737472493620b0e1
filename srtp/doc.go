// Package srtp protects RTP packets, and takes the protection off, with keys from a DTLS handshake.
//
// [DeriveKeys] turns the secrets of a handshake into [Keys]; these make a [Sealer] for what is sent and an
// [Opener] for what is received. Neither keeps any state of the stream: the caller gives the 48-bit index of
// each packet, so that a retransmission is the same octets again, and packets of one connection may be sealed by
// several goroutines. [EstimateIndex] finds the index of a received packet, and [Replay] refuses what came
// before. SRTCP is not here.
//
// # Ownership
//
// A Sealer, an Opener and a Replay belong to one goroutine each; [Sealer.Clone] makes a Sealer for another one.
// None of them locks, and none allocates per packet.
//
// # Secrets
//
// Master secrets and master keys are seen by keys.go alone. Session keys are zeroed as soon as the ciphers that
// use them have been made. What crypto/aes, crypto/cipher and crypto/hmac keep inside (the AES key schedule, the
// GHASH table, the HMAC state) cannot be zeroed from here: Wipe drops every reference, and the garbage collector
// takes the memory.
//
// # Specifications
//
//   - RFC 3711, SRTP: §3.3.1 (index), §3.3.2 (replay list), §4.1.1 (AES-CM), §4.2 (HMAC-SHA1), §4.3 (key derivation, rate 0)
//   - RFC 5246 §5 and RFC 5705 §4: the pseudo-random function of TLS 1.2, and its exporter
//   - RFC 5764 §4.1.2 and §4.2: protection profiles, and how keys are cut from what the exporter gives
//   - RFC 7714 §8.1 and §11: AES-GCM
package srtp
