package wire

import "encoding/binary"

// NTPSize is the size of an NTP message without extensions, bytes (RFC 5905, section 7.3).
const NTPSize = 48

const (
	ntpEpoch  = -2208988800 // 1900-01-01 in Unix seconds
	ntpClient = 3
	ntpServer = 4
)

// AppendNTPQuery asks the time, in version 4. Of all its fields only the moment of sending is set, to a random number, so
// that a query tells nothing of its sender.
func AppendNTPQuery(b []byte, r Rand) []byte {
	b = append(b, 4<<3|ntpClient)
	b = append(b, make([]byte, 39)...)
	v := r.Uint64()
	for v == 0 {
		v = r.Uint64()
	}
	return binary.BigEndian.AppendUint64(b, v)
}

// AppendNTPAnswer answers a client's query that came and is answered at these moments, Unix ns. It appends nothing where
// the query is none.
func AppendNTPAnswer(b, query []byte, received, sent int64) []byte {
	if len(query) < NTPSize || query[0]&7 != ntpClient {
		return b
	}
	b = append(b, query[0]&0x38|ntpServer, 2, query[2], 0xe9) // stratum 2, precision 2^-23 s
	b = binary.BigEndian.AppendUint32(b, 1<<10)               // root delay, dispersion: 1/64 s
	b = binary.BigEndian.AppendUint32(b, 1<<10)
	b = append(b, "\xc6\x12\x00\x01"...)
	b = appendNTPTime(b, received-60e9) // when its own clock was set last
	b = append(b, query[40:48]...)
	b = appendNTPTime(b, received)
	return appendNTPTime(b, sent)
}

// appendNTPTime appends a moment after 1970 as seconds since 1900 and their fraction.
func appendNTPTime(b []byte, unix int64) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(unix/1e9-ntpEpoch))
	return binary.BigEndian.AppendUint32(b, uint32(uint64(unix%1e9)<<32/1e9))
}
