package exchange

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"glasshouse/devices/script"
	"glasshouse/emulator/packet"
	"glasshouse/emulator/policy"
	"glasshouse/emulator/truth"
)

// TokenSize is how many bytes at the head of a connection, or of a datagram, name what they belong to.
const TokenSize = 16

// Job is one exchange on its way: both ends hold it and walk its messages.
type Job struct {
	Messages []script.Message
	Start    int64 // script time at which the first message may be sent, ns
	Tag      packet.Tag

	// Of datagrams only.
	handle uint32
	got    [2]progress // newest message that arrived: 0 at the device, 1 at the server
}

// progress is the index of the newest message that has arrived at an end. Datagrams may be lost: a later one tells that
// the earlier ones will not come.
type progress struct {
	newest atomic.Int64 // index + 1
	note   chan struct{}
}

// NewJob returns the job of exchanging messages from a scripted time on (ns since the scenario's start).
func NewJob(messages []script.Message, start int64, tag packet.Tag) *Job {
	j := &Job{Messages: messages, Start: start, Tag: tag}
	for i := range j.got {
		j.got[i].note = make(chan struct{}, 1)
	}
	return j
}

// Arrived notes that a message has arrived at an end, that of a direction's datagrams: Up at the server, Down at the device.
func (j *Job) Arrived(dir int8, index int) {
	end := 0
	if dir == packet.Up {
		end = 1
	}
	j.got[end].arrived(index)
}

func (p *progress) arrived(index int) {
	for {
		old := p.newest.Load()
		if old > int64(index) || p.newest.CompareAndSwap(old, int64(index)+1) {
			break
		}
	}
	select {
	case p.note <- struct{}{}:
	default:
	}
}

// Session is what both ends of a TCP connection share: the device hands its jobs to the server.
type Session struct {
	Jobs   chan *Job
	Closed chan struct{}
	once   sync.Once

	Finished   chan struct{} // of QUIC: closed when the server has done its part
	MQTT       bool          // messages are MQTT's packets
	Subscribes bool          // of MQTT: the device does, at log-in
}

// Close says that the device is about to close the connection.
func (s *Session) Close() { s.once.Do(func() { close(s.Closed) }) }

// Await returns when the server has done its part, too: a connection that is closed forgets what is on its way.
func (s *Session) Await(ctx context.Context) error {
	t := time.NewTimer(policy.StreamTimeout)
	defer t.Stop()
	select {
	case <-s.Finished:
		return nil
	case <-t.C:
		return errors.New("the server has not received all")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Sessions joins the two ends of connections and datagram flows, in memory: nothing that travels tells the plan. Safe for
// concurrent use.
type Sessions struct {
	mu      sync.Mutex
	streams map[[TokenSize]byte]*Session
	jobs    map[uint32]*Job
	handles uint32
	pushers map[truth.Key]func(*Job) // servers of lasting datagram flows; nil until they have heard from the device
	greeted map[truth.Key]*Greeting  // connections on which the server speaks first: it must not wait for a token
	block   cipher.Block             // makes a datagram's head look random
}

// NewSessions returns an empty registry.
func NewSessions() (*Sessions, error) {
	var key [16]byte
	if _, err := rand.Read(key[:]); err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("making the datagrams' cipher: %w", err)
	}
	return &Sessions{
		streams: make(map[[TokenSize]byte]*Session), jobs: make(map[uint32]*Job), pushers: make(map[truth.Key]func(*Job)),
		greeted: make(map[truth.Key]*Greeting), block: block,
	}, nil
}

// Open registers a new session and returns it with its token.
func (s *Sessions) Open() (*Session, [TokenSize]byte, error) {
	var token [TokenSize]byte
	if _, err := rand.Read(token[:]); err != nil {
		return nil, token, err
	}
	token[0] |= 0x80 // no TLS record and no HTTP method begins so
	x := &Session{Jobs: make(chan *Job, 64), Closed: make(chan struct{}), Finished: make(chan struct{})}
	s.mu.Lock()
	s.streams[token] = x
	s.mu.Unlock()
	return x, token, nil
}

// Find returns the session that a token names, or nil.
func (s *Sessions) Find(token [TokenSize]byte) *Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams[token]
}

// Forget removes a stream.
func (s *Sessions) Forget(token [TokenSize]byte) {
	s.mu.Lock()
	delete(s.streams, token)
	s.mu.Unlock()
}

// Greeting is of a connection on which the server speaks first.
type Greeting struct {
	Secure  bool // once TLS is set up
	Seed    uint64
	Session chan *Session // the device hands it over when it is connected
}

// Greet says, before the first packet, that the server of a connection speaks first, until ungreet.
func (s *Sessions) Greet(k truth.Key, secure bool, seed uint64) {
	s.mu.Lock()
	s.greeted[k] = &Greeting{Secure: secure, Seed: seed, Session: make(chan *Session, 1)}
	s.mu.Unlock()
}

// Ungreet removes the connection from those whose first message has come.
func (s *Sessions) Ungreet(k truth.Key) {
	s.mu.Lock()
	delete(s.greeted, k)
	s.mu.Unlock()
}

// Greeting returns what is known of such a connection; nil of any other.
func (s *Sessions) Greeting(k truth.Key) *Greeting {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.greeted[k]
}

// Register names a datagram job.
func (s *Sessions) Register(j *Job) {
	s.mu.Lock()
	s.handles++
	j.handle = s.handles
	s.jobs[j.handle] = j
	s.mu.Unlock()
}

// Expect says that the server of a lasting flow may be asked to send first, until unexpect.
func (s *Sessions) Expect(k truth.Key) {
	s.mu.Lock()
	s.pushers[k] = nil
	s.mu.Unlock()
}

// Unexpect removes a connection from those that a push may use.
func (s *Sessions) Unexpect(k truth.Key) {
	s.mu.Lock()
	delete(s.pushers, k)
	s.mu.Unlock()
}

// pusher remembers how the server of a flow starts to walk a job by itself, if it may be asked to.
func (s *Sessions) pusher(k truth.Key, f func(*Job)) {
	s.mu.Lock()
	if _, ok := s.pushers[k]; ok {
		s.pushers[k] = f
	}
	s.mu.Unlock()
}

// Push starts a job at the server of a flow; false where that end has not heard from the device yet.
func (s *Sessions) Push(k truth.Key, j *Job) bool {
	s.mu.Lock()
	f := s.pushers[k]
	s.mu.Unlock()
	if f == nil {
		return false
	}
	f(j)
	return true
}

// Unregister removes a job.
func (s *Sessions) Unregister(j *Job) {
	s.mu.Lock()
	delete(s.jobs, j.handle)
	s.mu.Unlock()
}

// Lasting is how many lasting flows are open.
func (s *Sessions) Lasting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pushers)
}

// head writes the name of message index of a job, as 16 bytes that look random but for what plainDatagram asks.
func (s *Sessions) head(dst []byte, j *Job, index int) {
	var b [TokenSize]byte
	binary.LittleEndian.PutUint32(b[:], j.handle)
	binary.LittleEndian.PutUint32(b[4:], uint32(index))
	for try := range uint16(1 << 10) {
		binary.LittleEndian.PutUint16(b[8:], try)
		if s.block.Encrypt(dst[:TokenSize], b[:]); plainDatagram(dst) {
			return
		}
	}
}

// plainDatagram tells whether random bytes begin so that analysers do not take them for a protocol which they then find
// malformed: RTP has other first bits, and ISO 8602 (R-GOOSE runs over it) a 4 in the upper half of its second byte.
func plainDatagram(p []byte) bool { return p[0] < 0x40 && p[1]>>4 != 4 }

// Parse reads a datagram's head; nil where it names no job.
func (s *Sessions) Parse(p []byte) (*Job, int) {
	if len(p) < TokenSize {
		return nil, 0
	}
	var b [TokenSize]byte
	s.block.Decrypt(b[:], p[:TokenSize])
	for _, z := range b[10:] {
		if z != 0 {
			return nil, 0
		}
	}
	s.mu.Lock()
	j := s.jobs[binary.LittleEndian.Uint32(b[:])]
	s.mu.Unlock()
	index := int(binary.LittleEndian.Uint32(b[4:]))
	if j == nil || index >= len(j.Messages) {
		return nil, 0
	}
	return j, index
}
