package cloud

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"

	"glasshouse/emulator/live/exchange"
	"glasshouse/emulator/live/transport"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/truth"
	"glasshouse/emulator/wire"
)

// one is a listener of one connection; it ends with it.
type one struct {
	conn net.Conn
	done chan struct{}
	once sync.Once
	give atomic.Bool
}

func (l *one) Accept() (net.Conn, error) {
	if l.give.CompareAndSwap(false, true) {
		return l.conn, nil
	}
	<-l.done
	return nil, net.ErrClosed
}

func (l *one) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *one) Addr() net.Addr { return l.conn.LocalAddr() }

// serveHTTP2 answers requests whose path names the session; bodies have the job's sizes.
func (cl *Servers) serveHTTP2(sec *tls.Conn, far *parting) error {
	l := &one{conn: sec, done: make(chan struct{})}
	h := &http2Handler{cl: cl, far: far, noise: exchange.NewNoise(uint64(cl.c.Clock.Now()))}
	far.SetTag(far.opening.As(packet.RoleData)) // it speaks before it knows the session
	server := http.Server{
		ErrorLog:  log.New(io.Discard, "", 0), // a client that leaves is no error
		Protocols: transport.HTTP2Only(), Handler: h, ReadHeaderTimeout: policy.StreamTimeout,
		ConnState: func(_ net.Conn, s http.ConnState) {
			if s == http.StateClosed {
				_ = l.Close()
			}
		},
		BaseContext: func(net.Listener) context.Context { return cl.ctx },
	}
	if err := server.Serve(l); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// http2Handler is the program of one connection. Its requests come one after the other.
type http2Handler struct {
	cl    *Servers
	far   *parting
	noise *exchange.Noise
	job   *exchange.Job
	next  int
}

// ServeHTTP implements http.Handler. There is no date in the answer: headers then have one size at any time.
func (h *http2Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.job == nil {
		sess := h.cl.c.Sessions.Find(wire.ParseHTTP2Path(r.URL.Path))
		if sess == nil {
			http.NotFound(w, r)
			return
		}
		h.job = <-sess.Jobs
		h.far.SetTag(h.job.Tag)
		h.far.sess.Store(sess)
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil || h.next+1 >= len(h.job.Messages) {
		return
	}
	reply := &h.job.Messages[h.next+1]
	h.next += 2
	if h.cl.c.Clock.Sleep(h.cl.ctx, h.cl.c.Clock.Now()+reply.Wait) != nil {
		return
	}
	head := w.Header()
	head["Date"] = nil
	head.Set("Content-Type", "application/octet-stream")
	head.Set("Content-Length", strconv.Itoa(reply.Size))
	body := make([]byte, reply.Size)
	h.noise.Fill(body)
	_, _ = w.Write(body)
}

// parting is a server's end that, once the device has begun to close the connection, announces what it writes as its goodbye.
type parting struct {
	*truth.StreamConn
	opening packet.Tag
	sess    atomic.Pointer[exchange.Session]
}

func (p *parting) Write(b []byte) (int, error) {
	if s := p.sess.Load(); s != nil {
		select {
		case <-s.Closed:
			p.SetTag(p.opening.As(packet.RoleClose))
		default:
		}
	}
	return p.StreamConn.Write(b)
}
