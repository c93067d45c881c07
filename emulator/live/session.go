package live

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

// tokenSize is how many bytes at the head of a connection, or of a datagram, name what they belong to.
const tokenSize = 16

// job is one exchange on its way: both ends hold it and walk its messages.
type job struct {
	messages []script.Message
	start    int64 // script time at which the first message may be sent, ns
	tag      packet.Tag

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

func newJob(messages []script.Message, start int64, tag packet.Tag) *job {
	j := &job{messages: messages, start: start, tag: tag}
	for i := range j.got {
		j.got[i].note = make(chan struct{}, 1)
	}
	return j
}

// Arrived notes that a message has arrived at an end, that of a direction's datagrams: Up at the server, Down at the device.
func (j *job) Arrived(dir int8, index int) {
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

// session is what both ends of a TCP connection share: the device hands its jobs to the server.
type session struct {
	jobs   chan *job
	closed chan struct{}
	once   sync.Once

	finished   chan struct{} // of QUIC: closed when the server has done its part
	mqtt       bool          // messages are MQTT's packets
	subscribes bool          // of MQTT: the device does, at log-in
}

// close says that the device is about to close the connection.
func (s *session) close() { s.once.Do(func() { close(s.closed) }) }

// await returns when the server has done its part, too: a connection that is closed forgets what is on its way.
func (s *session) await(ctx context.Context) error {
	t := time.NewTimer(policy.StreamTimeout)
	defer t.Stop()
	select {
	case <-s.finished:
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
	streams map[[tokenSize]byte]*session
	jobs    map[uint32]*job
	handles uint32
	pushers map[truth.Key]func(*job) // servers of lasting datagram flows; nil until they have heard from the device
	greeted map[truth.Key]*greeting  // connections on which the server speaks first: it must not wait for a token
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
	return &Sessions{streams: make(map[[tokenSize]byte]*session), jobs: make(map[uint32]*job), pushers: make(map[truth.Key]func(*job)), greeted: make(map[truth.Key]*greeting), block: block}, nil
}

// open registers a new session and returns it with its token.
func (s *Sessions) open() (*session, [tokenSize]byte, error) {
	var token [tokenSize]byte
	if _, err := rand.Read(token[:]); err != nil {
		return nil, token, err
	}
	token[0] |= 0x80 // no TLS record and no HTTP method begins so
	x := &session{jobs: make(chan *job, 64), closed: make(chan struct{}), finished: make(chan struct{})}
	s.mu.Lock()
	s.streams[token] = x
	s.mu.Unlock()
	return x, token, nil
}

// find returns the session that a token names, or nil.
func (s *Sessions) find(token [tokenSize]byte) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams[token]
}

func (s *Sessions) forget(token [tokenSize]byte) {
	s.mu.Lock()
	delete(s.streams, token)
	s.mu.Unlock()
}

// greeting is of a connection on which the server speaks first.
type greeting struct {
	secure  bool // once TLS is set up
	seed    uint64
	session chan *session // the device hands it over when it is connected
}

// greet says, before the first packet, that the server of a connection speaks first, until ungreet.
func (s *Sessions) greet(k truth.Key, secure bool, seed uint64) {
	s.mu.Lock()
	s.greeted[k] = &greeting{secure: secure, seed: seed, session: make(chan *session, 1)}
	s.mu.Unlock()
}

func (s *Sessions) ungreet(k truth.Key) {
	s.mu.Lock()
	delete(s.greeted, k)
	s.mu.Unlock()
}

// greeting returns what is known of such a connection; nil of any other.
func (s *Sessions) greeting(k truth.Key) *greeting {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.greeted[k]
}

// register names a datagram job.
func (s *Sessions) register(j *job) {
	s.mu.Lock()
	s.handles++
	j.handle = s.handles
	s.jobs[j.handle] = j
	s.mu.Unlock()
}

// expect says that the server of a lasting flow may be asked to send first, until unexpect.
func (s *Sessions) expect(k truth.Key) {
	s.mu.Lock()
	s.pushers[k] = nil
	s.mu.Unlock()
}

func (s *Sessions) unexpect(k truth.Key) {
	s.mu.Lock()
	delete(s.pushers, k)
	s.mu.Unlock()
}

// pusher remembers how the server of a flow starts to walk a job by itself, if it may be asked to.
func (s *Sessions) pusher(k truth.Key, f func(*job)) {
	s.mu.Lock()
	if _, ok := s.pushers[k]; ok {
		s.pushers[k] = f
	}
	s.mu.Unlock()
}

// push starts a job at the server of a flow; false where that end has not heard from the device yet.
func (s *Sessions) push(k truth.Key, j *job) bool {
	s.mu.Lock()
	f := s.pushers[k]
	s.mu.Unlock()
	if f == nil {
		return false
	}
	f(j)
	return true
}

func (s *Sessions) unregister(j *job) {
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
func (s *Sessions) head(dst []byte, j *job, index int) {
	var b [tokenSize]byte
	binary.LittleEndian.PutUint32(b[:], j.handle)
	binary.LittleEndian.PutUint32(b[4:], uint32(index))
	for try := range uint16(1 << 10) {
		binary.LittleEndian.PutUint16(b[8:], try)
		if s.block.Encrypt(dst[:tokenSize], b[:]); plainDatagram(dst) {
			return
		}
	}
}

// plainDatagram tells whether random bytes begin so that analysers do not take them for a protocol which they then find
// malformed: RTP has other first bits, and ISO 8602 (R-GOOSE runs over it) a 4 in the upper half of its second byte.
func plainDatagram(p []byte) bool { return p[0] < 0x40 && p[1]>>4 != 4 }

// parse reads a datagram's head; nil where it names no job.
func (s *Sessions) parse(p []byte) (*job, int) {
	if len(p) < tokenSize {
		return nil, 0
	}
	var b [tokenSize]byte
	s.block.Decrypt(b[:], p[:tokenSize])
	for _, z := range b[10:] {
		if z != 0 {
			return nil, 0
		}
	}
	s.mu.Lock()
	j := s.jobs[binary.LittleEndian.Uint32(b[:])]
	s.mu.Unlock()
	index := int(binary.LittleEndian.Uint32(b[4:]))
	if j == nil || index >= len(j.messages) {
		return nil, 0
	}
	return j, index
}
