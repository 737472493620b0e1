package transportcc

import (
	"math"
	"time"

	"github.com/pion/rtcp"

	"galene/rtptime"
)

const (
	// maxStatuses bounds what one message reports, so that it fits a datagram.
	maxStatuses = 400

	referenceUnit = 64 * time.Millisecond
	referenceMask = 1<<24 - 1
	deltaUnit     = 250 * time.Microsecond
	maxSmallDelta = math.MaxUint8

	oneBitSymbols = 14
	twoBitSymbols = 7
	// minRun is from which length on a run is worth a chunk of its own.
	minRun = oneBitSymbols
)

// Feedback returns the messages that report, in the name of a media source, what came
// since the last call: none if nothing has. Packets that were reported are
// reported again if one from before them came late.
func (r *Recorder) Feedback(media uint32) (messages []*rtcp.TransportLayerCC) {
	if r.pending == 0 {
		return nil
	}
	for r.first <= r.newest {
		m := r.message(media)
		if m == nil {
			break
		}
		messages = append(messages, m)
	}
	r.pending, r.first = 0, r.newest+1
	return messages
}

// message returns one message that begins where the last one ended, or nil if
// nothing has come from there on.
func (r *Recorder) message(media uint32) *rtcp.TransportLayerCC {
	begin := r.first
	for begin <= r.newest && r.arrivals[begin&mask] == 0 {
		begin++
	}
	if begin > r.newest {
		return nil
	}
	base := max(r.first, begin-maxStatuses/2)
	reference := int64(r.arrivals[begin&mask]) / int64(referenceUnit)
	m := &rtcp.TransportLayerCC{
		SenderSSRC:         r.sender,
		MediaSSRC:          media,
		BaseSequenceNumber: uint16(base),
		ReferenceTime:      uint32(reference & referenceMask),
		FbPktCount:         r.count,
	}
	r.count++
	symbols, octets := r.statuses(m, base, rtptime.Instant(reference*int64(referenceUnit)))
	m.PacketStatusCount = uint16(len(symbols))
	m.PacketChunks = chunks(symbols)
	setHeader(m, octets)
	return m
}

// statuses appends to m when each packet came, from base on, as long as that can
// be said in one message, and moves first behind them. It returns their statuses,
// and how many octets the times take.
func (r *Recorder) statuses(m *rtcp.TransportLayerCC, base int64, reference rtptime.Instant) (symbols []uint16, octets int) {
	last := int64(0) // in units of deltas since reference
	sequence := base
	for ; sequence <= r.newest && sequence < base+maxStatuses; sequence++ {
		at := r.arrivals[sequence&mask]
		if at == 0 {
			symbols = append(symbols, rtcp.TypeTCCPacketNotReceived)
			continue
		}
		ticks := int64(at.Sub(reference) / deltaUnit)
		delta := ticks - last
		if delta < math.MinInt16 || delta > math.MaxInt16 {
			break
		}
		last = ticks
		symbol := rtcp.TypeTCCPacketReceivedSmallDelta
		octets++
		if delta < 0 || delta > maxSmallDelta {
			symbol = rtcp.TypeTCCPacketReceivedLargeDelta
			octets++
		}
		symbols = append(symbols, symbol)
		m.RecvDeltas = append(m.RecvDeltas, &rtcp.RecvDelta{Type: symbol, Delta: delta * rtcp.TypeTCCDeltaScaleFactor})
	}
	r.first = sequence
	return symbols, octets
}

// chunks packs statuses: long runs by their length, others as vectors.
func chunks(symbols []uint16) (list []rtcp.PacketStatusChunk) {
	for len(symbols) > 0 {
		run := runLength(symbols)
		if run >= minRun || run == len(symbols) {
			list = append(list, &rtcp.RunLengthChunk{
				Type: rtcp.TypeTCCRunLengthChunk, PacketStatusSymbol: symbols[0], RunLength: uint16(run),
			})
			symbols = symbols[run:]
			continue
		}
		n, size := vectorLength(symbols)
		list = append(list, &rtcp.StatusVectorChunk{
			Type: rtcp.TypeTCCStatusVectorChunk, SymbolSize: size, SymbolList: symbols[:n:n],
		})
		symbols = symbols[n:]
	}
	return list
}

// runLength returns how many symbols are equal to the first.
func runLength(symbols []uint16) int {
	n := 1
	for n < len(symbols) && symbols[n] == symbols[0] {
		n++
	}
	return n
}

// vectorLength returns how many symbols the next vector holds, and of what size they
// are in it.
func vectorLength(symbols []uint16) (n int, size uint16) {
	for _, s := range symbols[:min(len(symbols), oneBitSymbols)] {
		if s > rtcp.TypeTCCPacketReceivedSmallDelta {
			return min(len(symbols), twoBitSymbols), rtcp.TypeTCCSymbolSizeTwoBit
		}
	}
	return min(len(symbols), oneBitSymbols), rtcp.TypeTCCSymbolSizeOneBit
}

// fixedOctets is what comes before the chunks of a message, chunkOctets what each
// takes.
const (
	fixedOctets = 20
	chunkOctets = 2
)

// setHeader gives a message its header, given how many octets its deltas take.
func setHeader(m *rtcp.TransportLayerCC, deltas int) {
	octets := fixedOctets + chunkOctets*len(m.PacketChunks) + deltas
	words := (octets + 3) / 4
	m.Header = rtcp.Header{
		Padding: words*4 != octets,
		Count:   rtcp.FormatTCC,
		Type:    rtcp.TypeTransportSpecificFeedback,
		Length:  uint16(words - 1),
	}
}
