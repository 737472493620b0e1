package rtptime

const (
	// restartDistance is how far behind the highest sequence number packets must
	// be for [SequenceUnwrapper] to suspect that their sender started anew.
	restartDistance = 256

	// restartRun is how many packets in a row, each the successor of the one
	// before it, confirm that suspicion. A burst of late retransmissions
	// does not get so far, as live packets come in between.
	restartRun = 16
)

// SequenceUnwrapper extends the 16-bit sequence numbers of one RTP stream to 64 bits
// (RFC 3550 appendix A.1). The zero value is ready for use. It belongs to one
// goroutine.
type SequenceUnwrapper struct {
	highest int64  // greatest value returned; 0 before the first
	stale   uint16 // the last of the run of suspects
	run     uint8  // length of that run
}

// Unwrap returns the value congruent to seq modulo 65536 that is nearest to the highest
// one returned before, which it may precede by up to 32768. The first value is seq+65536, so
// every value is positive.
//
// A sender that starts anew at a lower number would look late for up to 32768
// packets. Once 16 packets have come in a row, in their order, all more than 256
// behind the highest and with none ahead of it in between, the numbering
// goes on from that packet above the highest: a jump forward.
func (u *SequenceUnwrapper) Unwrap(seq uint16) int64 {
	if u.highest == 0 {
		u.highest = int64(seq) + 1<<16
		return u.highest
	}
	ahead := int64(int16(seq - uint16(u.highest)))
	if ahead < 0 && u.restarted(seq, ahead) {
		ahead += 1 << 16
	}
	if ahead > 0 {
		u.highest += ahead
		u.run = 0
		return u.highest
	}
	return u.highest + ahead
}

// restarted counts a packet that is behind the highest by -ahead and says whether it
// completes the proof that its sender started anew.
func (u *SequenceUnwrapper) restarted(seq uint16, ahead int64) bool {
	if ahead >= -restartDistance {
		return false
	}
	if u.run == 0 || seq != u.stale+1 {
		u.run = 0
	}
	u.run++
	u.stale = seq
	return u.run >= restartRun
}

// TimestampUnwrapper extends the 32-bit timestamps of one RTP stream to 64 bits. The zero
// value is ready for use. It belongs to one goroutine.
type TimestampUnwrapper struct {
	highest int64 // greatest value returned; 0 before the first
}

// Unwrap returns the value congruent to timestamp modulo 2³² that is nearest to the highest
// one returned before, which it may precede by up to 2³¹. The first value is
// timestamp+2³², so every value is positive.
func (u *TimestampUnwrapper) Unwrap(timestamp uint32) int64 {
	if u.highest == 0 {
		u.highest = int64(timestamp) + 1<<32
		return u.highest
	}
	value := u.highest + int64(int32(timestamp-uint32(u.highest)))
	u.highest = max(u.highest, value)
	return value
}
