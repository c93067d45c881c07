package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"glasshouse/emulator/wire/wiretest"
)

// late is a recorder whose first write takes a moment, as on a path with a delay: the other end speaks meanwhile.
type late struct {
	wiretest.Recorder
	once sync.Once
}

func (l *late) Write(p []byte) (int, error) {
	l.once.Do(func() { time.Sleep(10 * time.Millisecond) })
	return l.Recorder.Write(p)
}

// single is a listener of one connection.
type single struct {
	conn   chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (s *single) Accept() (net.Conn, error) {
	select {
	case c := <-s.conn:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *single) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func (s *single) Addr() net.Addr { return new(net.TCPAddr) }

// net/http makes the same writes: all of the client's, and the server's but for its first settings and its window
// updates, which may share writes with what follows them.
func TestHTTP2IsNetHTTPs(t *testing.T) {
	for _, script := range [][][2]int{ // bodies up and down
		{{0, 0}},
		{{0, 100}, {0, 100}, {0, 4096}, {0, 4097}, {0, 200}},
		{{0, 5000}, {0, 16384}, {0, 16385}, {0, 50_000}, {0, 300_000}, {0, 3000}, {0, 3000}, {0, 3000}},
		{{10, 10}, {500, 20}, {4095, 20}, {4096, 20}, {9000, 500}, {40_000, 5}, {200_000, 5}, {0, 7}},
		{{3000, 3000}, {3000, 3000}, {3000, 3000}},
		{{60_000, 9000}, {16_384, 9000}},
	} {
		t.Run(fmt.Sprint(script), func(t *testing.T) {
			t.Parallel()
			walkHTTP2(t, script)
		})
	}
}

// walkHTTP2 makes exchanges over a pipe, and compares the writes of each with ours.
func walkHTTP2(t *testing.T, script [][2]int) {
	t.Helper()
	const host = "api.cloud.example"
	path := "/" + strings.Repeat("ab", HTTPTokenSize)
	var down atomic.Int64
	a, b := net.Pipe()
	near, far := &wiretest.Recorder{Conn: a}, &late{Recorder: wiretest.Recorder{Conn: b}}
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	server := http.Server{Protocols: protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.Itoa(int(down.Load())))
		_, _ = w.Write(make([]byte, down.Load()))
	})}
	listener := &single{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
	listener.conn <- far
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	transport := &http.Transport{ // without TLS, whose scheme takes one byte as well
		Protocols:   protocols,
		DialContext: func(context.Context, string, string) (net.Conn, error) { return near, nil },
	}
	h := NewHTTP2()
	for i, x := range script {
		down.Store(int64(x[1]))
		method, body := http.MethodGet, io.Reader(nil)
		if x[0] > 0 {
			method, body = http.MethodPost, bytes.NewReader(make([]byte, x[0]))
		}
		req := wiretest.Must(http.NewRequestWithContext(t.Context(), method, "http://"+host+path, body))(t)
		resp := wiretest.Must(transport.RoundTrip(req))(t)
		if n, err := io.Copy(io.Discard, resp.Body); err != nil || int(n) != x[1] {
			t.Fatalf("%d bytes: %v", n, err)
		}
		_ = resp.Body.Close()
		var ours [2][]int
		for _, w := range h.Exchange(host, path, x[0], x[1], wiretest.Must(http.ParseTime(resp.Header.Get("Date")))(t).UnixNano()) {
			if w.Up {
				ours[0] = append(ours[0], w.Size)
			} else {
				ours[1] = append(ours[1], w.Size)
			}
		}
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
			up, down := near.Sizes(), far.Sizes()
			same := slices.Equal(ours[0], up)
			switch {
			case x[0] == 0 && i > 0:
				same = same && slices.Equal(ours[1], down)
			case i == 0 && x[0] > 1<<14: // of several frames: the stream's window may be opened between them
				same = same && sum(ours[1]) <= sum(down)
			default:
				same = same && sum(ours[1]) == sum(down)
			}
			if same {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("exchange %d: up %v, want %v; down %v, want %v", i, ours[0], up, ours[1], down)
			}
		}
		near.Forget()
		far.Forget()
		if i == 1 {
			time.Sleep(1100 * time.Millisecond) // another date
		}
	}
	transport.CloseIdleConnections()
	_ = server.Close()
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}

func sum(list []int) (n int) {
	for _, v := range list {
		n += v
	}
	return n
}

// A path is read as it was written, and all paths cost the same.
func TestHTTP2PathsHaveOneSize(t *testing.T) {
	size := -1
	for seed := range uint64(200) {
		token := [HTTPTokenSize]byte(AppendRandom(nil, wiretest.PCG(seed), HTTPTokenSize))
		path := string(AppendHTTP2Path(nil, token))
		if got := ParseHTTP2Path(path); got != token {
			t.Fatalf("%s is read as %x, want %x", path, got, token)
		}
		n := 0
		for _, w := range NewHTTP2().Exchange("a.example", path, 100, 20_000, 0) {
			n += w.Size
		}
		if size < 0 {
			size = n
		}
		if n != size {
			t.Errorf("%s costs %d bytes, another %d", path, n, size)
		}
	}
	for _, path := range []string{"", "/", "/33", "/" + strings.Repeat("3", 33), "/" + strings.Repeat("a", 32)} {
		if got := ParseHTTP2Path(path); got != ([HTTPTokenSize]byte{}) {
			t.Errorf("%q is read as %x", path, got)
		}
	}
}

// No write waits for one that comes after it.
func TestHTTP2WritesCanBeMade(t *testing.T) {
	h := NewHTTP2()
	for k := range 6 {
		var made [2]int
		for _, w := range h.Exchange("a.example", "/x", 30_000*(k%3), 40_000*(k%2), 0) {
			other := 0
			if w.Up {
				other = 1
			}
			if w.After > made[other] {
				t.Errorf("exchange %d: %+v waits for write %d of the other end, which has made %d", k, w, w.After, made[other])
			}
			made[1-other]++
		}
	}
}

func TestHTTP2IsTheSameTwice(t *testing.T) {
	var all [2][]HTTP2Write
	for i := range all {
		h := NewHTTP2()
		for k := range 5 {
			all[i] = append(all[i], h.Exchange("a.example", "/x", 1000*k, 20_000, int64(k)*1e9)...)
		}
	}
	if !slices.Equal(all[0], all[1]) {
		t.Errorf("%v, then %v", all[0], all[1])
	}
}
