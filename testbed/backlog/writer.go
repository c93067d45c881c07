package backlog

import (
	"bytes"
	"io"
)

// Writer is an io.Writer that never waits for the one behind it. Each Write is queued whole, as a line of output, or dropped and counted.
type Writer struct {
	queue *Queue[[]byte]
	err   error // the first of the writer behind; the queue's goroutine writes it, and Close reads it
}

var _ io.WriteCloser = (*Writer)(nil)

// NewWriter returns a writer with room for size writes.
func NewWriter(w io.Writer, size int) *Writer {
	b := &Writer{}
	b.queue = New(size, func(p []byte) {
		if b.err == nil {
			_, b.err = w.Write(p)
		}
	})
	return b
}

// Write implements io.Writer. It reports no error: a line that is dropped is counted, and Close returns what failed.
func (b *Writer) Write(p []byte) (int, error) {
	b.queue.Offer(bytes.Clone(p))
	return len(p), nil
}

// Dropped is how many writes were dropped so far.
func (b *Writer) Dropped() int64 { return b.queue.Dropped() }

// Close waits until all that is queued is written, and returns the first error in writing it. The underlying writer stays open.
func (b *Writer) Close() error {
	b.queue.Close()
	return b.err
}
