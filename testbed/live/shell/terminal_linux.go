package shell

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/creack/pty"
	"github.com/muesli/cancelreader"
	"golang.org/x/term"
)

// terminalRelay is a pseudo-terminal whose slave a shell can control, and which is relayed to a user's terminal.
type terminalRelay struct {
	master, slave *os.File

	in      *os.File
	before  *term.State // of in
	keys    cancelreader.CancelReader
	resized chan os.Signal
	typing  sync.WaitGroup // relays what is typed, and the terminal's size
	shown   chan struct{}  // closed when all output is relayed
}

// relayTerminal makes a pseudo-terminal and relays it to the terminal that in and out are, which it sets to raw mode.
func relayTerminal(in, out *os.File) (_ *terminalRelay, err error) {
	r := &terminalRelay{in: in, resized: make(chan os.Signal, 1), shown: make(chan struct{})}
	if r.master, r.slave, err = pty.Open(); err != nil {
		return nil, fmt.Errorf("opening a pseudo-terminal: %w", err)
	}
	if r.keys, err = cancelreader.NewReader(in); err == nil {
		r.before, err = term.MakeRaw(int(in.Fd()))
	}
	if err != nil {
		if r.keys != nil {
			_ = r.keys.Close()
		}
		_ = r.master.Close()
		_ = r.slave.Close()
		return nil, fmt.Errorf("taking over the terminal: %w", err)
	}
	_ = pty.InheritSize(in, r.master) // a terminal without a size is usable
	signal.Notify(r.resized, syscall.SIGWINCH)
	r.typing.Go(func() {
		for range r.resized {
			_ = pty.InheritSize(in, r.master)
		}
	})
	r.typing.Go(func() { _, _ = io.Copy(r.master, r.keys) })
	go func() {
		defer close(r.shown)
		_, _ = io.Copy(out, r.master)
	}()
	return r, nil
}

// relayGrace is how long the last output may take to be relayed where a process that is still there holds the slave open.
const relayGrace = time.Second

// Close shows what is left of the output, ends the relay and gives the terminal back: what is typed from then on is for its next reader.
func (r *terminalRelay) Close() {
	_ = r.slave.Close()
	_ = r.master.SetReadDeadline(time.Now().Add(relayGrace))
	<-r.shown // the master's reader gets EIO when the last slave is closed
	r.keys.Cancel()
	signal.Stop(r.resized)
	close(r.resized)
	_ = r.master.SetWriteDeadline(time.Now()) // input that nobody has read fills the pseudo-terminal
	r.typing.Wait()
	_ = r.keys.Close()
	_ = r.master.Close()
	_ = term.Restore(int(r.in.Fd()), r.before)
}
