package live

import (
	"bufio"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"glasshouse/testbed/backlog"
	"glasshouse/testbed/live/isolation"
	"glasshouse/testbed/live/shell"
)

// A re-executed process is told what it is by argv[0], which its starter alone sets: an environment variable would be inherited by
// every program that is started below a lab, or by a user who has set it. No file is found on a PATH by these names.
const childName = "glasshouse: lab"

// File descriptors that the lab process inherits, after the standard three.
const (
	fdOrder  = 3 // the order, gob, from the parent; its end tells that the parent is gone or wants a stop
	fdReport = 4 // messages, gob, to the parent
	fdShell  = 5 // the listener on which `glasshouse shell` calls
)

// ErrCannotIsolate means that the kernel refused the namespaces; doctor says which setting to change.
var ErrCannotIsolate = errors.New("the kernel refuses to make namespaces for the lab")

// Child runs the lab if this process is the re-executed one. handled tells whether it was; code is the exit code then.
// main calls it before anything else, and so does TestMain of a test that runs labs.
func Child() (handled bool, code int) {
	switch {
	case isolation.IsProbe():
		return true, 0
	case os.Args[0] != childName:
		return false, 0
	}
	if err := childMain(); err != nil {
		fmt.Fprintln(os.Stderr, "glasshouse lab:", err)
		return true, 1
	}
	return true, 0
}

// labThreads is how many threads of a lab may run Go code at once, at least. Each packet wakes several in turn, and one that wakes
// when that many run already waits until the scheduler stops one, up to 10 ms later: with 2, the packets of a burst came 0.3 ms
// after their time at the third quartile and 6.5 ms at the 95th percentile, with 8 after 0.08 and 0.15 ms (two cores).
const labThreads = 8

func childMain() error {
	runtime.GOMAXPROCS(max(labThreads, 2*runtime.NumCPU()))
	// The parent's death arrives as SIGTERM, its wish to stop as the end of the order's pipe. A lab that cannot end by itself soon
	// after is ended. A terminal's Ctrl-C and Ctrl-\ reach the parent alone (isolation.Attributes): other programs send SIGINT and
	// SIGQUIT.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT)
	defer stop()
	// Nobody listens: they are dropped, but not ignored, which the shells of this lab would inherit.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE, syscall.SIGHUP)
	logs := backlog.NewWriter(os.Stderr, logBacklog) // a pipe to the parent, which may be stopped
	log.SetOutput(logs)                              // slog's, too
	defer logs.Close()
	orderPipe := os.NewFile(fdOrder, "order")
	reportPipe := os.NewFile(fdReport, "report")
	defer reportPipe.Close()
	for _, fd := range []int{fdOrder, fdReport, fdShell} {
		unix.CloseOnExec(fd)
	}
	var o order
	if err := gob.NewDecoder(orderPipe).Decode(&o); err != nil {
		return fmt.Errorf("reading the order: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // the parent closes the pipe, or dies: stop either way
		_, _ = io.Copy(io.Discard, orderPipe)
		cancel()
	}()
	go func() {
		<-ctx.Done()
		time.Sleep(stopWithin)
		os.Exit(1)
	}()
	if err := privateMounts(); err != nil {
		return err
	}
	shell, err := net.FileListener(os.NewFile(fdShell, "shell"))
	if err != nil {
		return fmt.Errorf("taking over the shell's listener: %w", err)
	}
	out := newReporter(reportPipe)
	res, err := runLab(ctx, o, out, shell)
	if err != nil {
		return out.close(message{Error: err.Error()})
	}
	return out.close(message{Result: res})
}

// logBacklog is how many lines of a lab's log may wait for its parent.
const logBacklog = 1024

// stopWithin is how long a lab that was asked to stop may take to write its files.
const stopWithin = 20 * time.Second

// privateMounts gives the lab a /run of its own, where it names its namespaces and puts WireGuard's control sockets.
func privateMounts() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=1m"); err != nil {
		return fmt.Errorf("mounting a private /run: %w", err)
	}
	for _, d := range append(shell.Dirs(), "/run/netns") {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// startChild re-executes this program in new user, network and mount namespaces and hands it the order. The child dies
// with the parent: it gets SIGTERM and writes what it has.
func startChild(ctx context.Context, o order, name string, each func(message)) error {
	orderR, orderW, err := os.Pipe()
	if err != nil {
		return err
	}
	defer orderW.Close()
	reportR, reportW, err := os.Pipe()
	if err != nil {
		return err
	}
	defer reportR.Close()
	shell, err := shell.Listen(name)
	if err != nil {
		return err
	}
	defer shell.Close()

	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{childName}
	var stderr tail
	cmd.Stderr = &stderr
	cmd.ExtraFiles = []*os.File{orderR, reportW, shell}
	cmd.SysProcAttr = isolation.Attributes()
	runtime.LockOSThread() // Pdeathsig is the death of the thread that started the child
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		_ = orderR.Close()
		_ = reportW.Close()
		return fmt.Errorf("%w: %w", ErrCannotIsolate, err)
	}
	_ = orderR.Close()
	_ = reportW.Close()
	if err := gob.NewEncoder(orderW).Encode(o); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return fmt.Errorf("handing the lab its order: %w %s", err, stderr.String())
	}
	var once sync.Once
	stop := context.AfterFunc(ctx, func() { once.Do(func() { _ = orderW.Close() }) })
	defer stop()

	readErr := receive(bufio.NewReaderSize(reportR, 1<<18), each)
	if readErr != nil { // the lab does not know: it is asked to stop, and what it still says is not waited for by it
		once.Do(func() { _ = orderW.Close() })
		_, _ = io.Copy(io.Discard, reportR)
	}
	err = cmd.Wait()
	if readErr != nil {
		return fmt.Errorf("reading from the lab: %w", errors.Join(readErr, said(&stderr)))
	}
	if err != nil {
		return fmt.Errorf("the lab ended: %w", errors.Join(err, said(&stderr)))
	}
	return nil
}

// receive hands each message of a lab to a function, until the lab closes its end.
func receive(r io.Reader, each func(message)) error {
	dec := gob.NewDecoder(r)
	for {
		var m message
		if err := dec.Decode(&m); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		each(m)
	}
}

// said makes an error of what a process wrote before it ended; nil if that is nothing.
func said(t *tail) error {
	if s := t.String(); s != "" {
		return errors.New(s)
	}
	return nil
}

// tail keeps the last few kilobytes that were written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - 8192; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.buf))
}
