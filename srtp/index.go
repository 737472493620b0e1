package srtp

// EstimateIndex guesses the 48-bit index of a packet with sequence number seq when highest is the greatest index so far
// (RFC 3711 §3.3.1 and appendix A): the rollover counter is that of highest, one more, or one less, whichever comes nearest;
// at a distance of exactly 2^15 it is that of highest.
//
// There is nothing before index 0: where the nearest would be, the rollover counter is 0. The index of the first
// packet of a stream is its sequence number.
func EstimateIndex(highest uint64, seq uint16) uint64 {
	const half = 1 << 15
	roc, last := highest>>16, int(uint16(highest))
	switch distance := int(seq) - last; {
	case distance > half && roc > 0:
		roc--
	case distance < -half:
		roc++
	}
	return (roc<<16 | uint64(seq)) & indexMask
}
