package rtptime

import "time"

// NTP is an NTP timestamp (RFC 3550 §4): seconds since the start of 1900, modulo
// 2³², in the upper 32 bits and their fraction in the lower. The seconds wrap every 136
// years, next in February 2036; a timestamp says nothing about its era.
type NTP uint64

// unixToNTP is the number of seconds from the start of 1900 to that of 1970.
const unixToNTP = 2_208_988_800

// NTPFromTime returns the timestamp of t, exact to the nanosecond.
func NTPFromTime(t time.Time) NTP {
	seconds := uint32(t.Unix() + unixToNTP) // modulo the era
	fraction := (uint64(t.Nanosecond())<<32 + uint64(time.Second)/2) / uint64(time.Second)
	return NTP(uint64(seconds)<<32 | fraction)
}

// Time returns the time n stands for in the era that brings it nearest to near.
// The result is in UTC and has no monotonic reading.
func (n NTP) Time(near time.Time) time.Time {
	reference := near.Unix() + unixToNTP
	ahead := int32(uint32(n>>32) - uint32(reference))
	fraction := (uint64(uint32(n))*uint64(time.Second) + 1<<31) >> 32
	return time.Unix(reference+int64(ahead)-unixToNTP, int64(fraction)).UTC()
}

// Middle returns the middle 32 bits, which reports carry in units of 1/65536 s (RFC 3550
// §6.4.1).
func (n NTP) Middle() uint32 {
	return uint32(n >> 16)
}

// Sub returns the time from m to n, negative if n is earlier. The two are taken to be
// less than 68 years apart, so the end of an era between them does no harm.
func (n NTP) Sub(m NTP) time.Duration {
	d := int64(n - m)
	seconds := d >> 32
	fraction := (int64(uint32(d))*int64(time.Second) + 1<<31) >> 32
	return time.Duration(seconds)*time.Second + time.Duration(fraction)
}
