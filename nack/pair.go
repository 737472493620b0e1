package nack

// Pair is one element of a generic NACK (RFC 4585 §6.2.1): packet ID is missing, and so is ID+1+i for
// each bit i set in Mask.
type Pair struct {
	ID   uint16
	Mask uint16
}

// Pairs appends to dst the least number of pairs for the sequence numbers seqs, which must be sorted.
func Pairs(dst []Pair, seqs []int64) []Pair {
	for i := 0; i < len(seqs); {
		first := seqs[i]
		pair := Pair{ID: uint16(first)}
		for i++; i < len(seqs) && seqs[i]-first <= 16; i++ {
			if seqs[i] > first {
				pair.Mask |= 1 << (seqs[i] - first - 1)
			}
		}
		dst = append(dst, pair)
	}
	return dst
}
