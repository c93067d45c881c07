package wire

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/beevik/ntp"

	"glasshouse/emulator/wire/wiretest"
)

// beevikServer answers beevik's client with our bytes, and keeps its query.
type beevikServer struct {
	net.Conn // none: only these are called
	query    []byte
	answer   []byte
	received time.Time
	sent     time.Time
}

func (s *beevikServer) Write(p []byte) (int, error) {
	s.query = bytes.Clone(p)
	s.answer = AppendNTPAnswer(nil, p, s.received.UnixNano(), s.sent.UnixNano())
	return len(p), nil
}

func (s *beevikServer) Read(p []byte) (int, error)       { return copy(p, s.answer), nil }
func (s *beevikServer) Close() error                     { return nil }
func (s *beevikServer) SetDeadline(time.Time) error      { return nil }
func (s *beevikServer) SetReadDeadline(time.Time) error  { return nil }
func (s *beevikServer) SetWriteDeadline(time.Time) error { return nil }

// The query is beevik's but for its random number, and beevik reads our answer as it was meant.
func TestNTPIsBeeviks(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 890_123_456, time.UTC)
	s := &beevikServer{received: at, sent: at.Add(40 * time.Microsecond)}
	resp := wiretest.Must(ntp.QueryWithOptions("192.0.2.1:123", ntp.QueryOptions{
		Dialer:        func(_, _ string) (net.Conn, error) { return s, nil },
		GetSystemTime: func() time.Time { return at },
	}))(t)
	got := AppendNTPQuery(nil, wiretest.PCG(1))
	if len(got) != NTPSize || !bytes.Equal(got[:40], s.query[:40]) {
		t.Errorf("a query is %x, want %x", got, s.query)
	}
	if bytes.Equal(got[40:], make([]byte, 8)) || bytes.Equal(got, AppendNTPQuery(nil, wiretest.PCG(2))) {
		t.Error("a query's number is not random")
	}
	if err := resp.Validate(); err != nil {
		t.Error(err)
	}
	if d := resp.Time.Sub(s.sent); d < -1 || d > 1 || resp.Stratum != 2 || !resp.ReferenceTime.Equal(at.Add(-time.Minute)) && at.Add(-time.Minute).Sub(resp.ReferenceTime) > 1 {
		t.Errorf("read as %+v", resp)
	}
}

func TestNTPAnswersOnlyClients(t *testing.T) {
	query := AppendNTPQuery(nil, wiretest.PCG(1))
	if n := len(AppendNTPAnswer(nil, query[:47], 1, 2)); n != 0 {
		t.Errorf("%d bytes in answer to half a query", n)
	}
	answer := AppendNTPAnswer(nil, query, 1, 2)
	if n := len(AppendNTPAnswer(nil, answer, 1, 2)); len(answer) != NTPSize || n != 0 {
		t.Errorf("%d bytes in answer to an answer of %d", n, len(answer))
	}
}
