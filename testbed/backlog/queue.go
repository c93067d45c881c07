// Package backlog puts a bounded queue between a producer that must never wait, such as the path of a live packet, and a consumer that
// may block for any time, such as a terminal or a pipe. What does not fit is dropped and counted.
package backlog

import (
	"sync"
	"sync/atomic"
)

// Queue hands values to a consumer, one at a time and in order, on a goroutine of its own. Offer is safe for concurrent use.
type Queue[T any] struct {
	values  chan T
	dropped atomic.Int64
	over    chan struct{} // closed when the consumer has taken all

	mu     sync.RWMutex
	closed bool
}

// New starts a queue with room for size values besides the one that take works on.
func New[T any](size int, take func(T)) *Queue[T] {
	q := &Queue[T]{values: make(chan T, size), over: make(chan struct{})}
	go func() {
		defer close(q.over)
		for v := range q.values {
			take(v)
		}
	}()
	return q
}

// Offer queues a value and never waits. It returns false, and counts the value as dropped, if the queue is full or closed.
func (q *Queue[T]) Offer(v T) bool {
	q.mu.RLock()
	defer q.mu.RUnlock()
	if !q.closed {
		select {
		case q.values <- v:
			return true
		default:
		}
	}
	q.dropped.Add(1)
	return false
}

// Dropped is how many values Offer has refused so far.
func (q *Queue[T]) Dropped() int64 { return q.dropped.Load() }

// Close refuses further values and waits until the consumer has taken what is queued: as long as the consumer blocks.
func (q *Queue[T]) Close() {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		close(q.values)
	}
	q.mu.Unlock()
	<-q.over
}
