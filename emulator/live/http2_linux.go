package live

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"glasshouse/devices/profile"
	"glasshouse/devices/script"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/truth"
	"glasshouse/emulator/wire"
)

// http2Only speaks HTTP/2 and nothing else.
func http2Only() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP2(true)
	return p
}

// http2 performs an exchange of requests and responses over HTTP/2, on one connection. Messages are bodies; net/http frames
// them. The path is the session's token.
func (h *Host) http2(ctx context.Context, s *profile.Service, x *script.Exchange, tag packet.Tag) error {
	c, err := h.connect(ctx, s, tag, packet.RoleTCPHandshake)
	if err != nil {
		return err
	}
	given := false
	client := &http.Transport{Protocols: http2Only(), DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
		if given {
			return nil, errors.New("the exchange has one connection")
		}
		given = true
		return c.conn, nil
	}}
	defer c.close() // closes for the transport, too, and under the right tag
	j := newJob(x.Messages, h.c.Clock.Now(), tag)
	c.sess.jobs <- j
	url := "https://" + s.Host + string(wire.AppendHTTP2Path(nil, c.token))
	for i := 0; i+1 < len(j.messages); i += 2 {
		ask, reply := &j.messages[i], &j.messages[i+1]
		if err := h.c.Clock.Sleep(ctx, h.c.Clock.Now()+ask.Wait); err != nil {
			return err
		}
		if err := c.request(ctx, client, url, ask.Size, time.Duration(reply.Wait)); err != nil {
			return fmt.Errorf("asking %s: %w", s.Host, err)
		}
	}
	return nil
}

// request posts a body of so many bytes and reads the response.
func (c *connection) request(ctx context.Context, client *http.Transport, url string, size int, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, policy.StreamTimeout+wait)
	defer cancel()
	body := make([]byte, size)
	c.noise.fill(body)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := client.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// parting is a server's end that, once the device has begun to close the connection, announces what it writes as its goodbye.
type parting struct {
	*truth.StreamConn
	opening packet.Tag
	sess    atomic.Pointer[session]
}

func (p *parting) Write(b []byte) (int, error) {
	if s := p.sess.Load(); s != nil {
		select {
		case <-s.closed:
			p.SetTag(p.opening.As(packet.RoleClose))
		default:
		}
	}
	return p.StreamConn.Write(b)
}

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
func (cl *Cloud) serveHTTP2(sec *tls.Conn, far *parting) error {
	l := &one{conn: sec, done: make(chan struct{})}
	h := &http2Handler{cl: cl, far: far, noise: newNoise(uint64(cl.c.Clock.Now()))}
	far.SetTag(far.opening.As(packet.RoleData)) // it speaks before it knows the session
	server := http.Server{
		ErrorLog:  log.New(io.Discard, "", 0), // a client that leaves is no error
		Protocols: http2Only(), Handler: h, ReadHeaderTimeout: policy.StreamTimeout,
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
	cl    *Cloud
	far   *parting
	noise *noise
	job   *job
	next  int
}

// ServeHTTP implements http.Handler. There is no date in the answer: headers then have one size at any time.
func (h *http2Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.job == nil {
		sess := h.cl.c.Sessions.find(wire.ParseHTTP2Path(r.URL.Path))
		if sess == nil {
			http.NotFound(w, r)
			return
		}
		h.job = <-sess.jobs
		h.far.SetTag(h.job.tag)
		h.far.sess.Store(sess)
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil || h.next+1 >= len(h.job.messages) {
		return
	}
	reply := &h.job.messages[h.next+1]
	h.next += 2
	if h.cl.c.Clock.Sleep(h.cl.ctx, h.cl.c.Clock.Now()+reply.Wait) != nil {
		return
	}
	head := w.Header()
	head["Date"] = nil
	head.Set("Content-Type", "application/octet-stream")
	head.Set("Content-Length", strconv.Itoa(reply.Size))
	body := make([]byte, reply.Size)
	h.noise.fill(body)
	_, _ = w.Write(body)
}
