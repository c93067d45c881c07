package shell

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Listen makes the socket on which a lab of a name is called. The lab process inherits it.
func Listen(name string) (*os.File, error) {
	name = strings.Map(func(r rune) rune {
		if r <= ' ' || r == '/' || r > '~' {
			return '-'
		}
		return r
	}, name)
	base := fmt.Sprintf("%s%d/%d/%s", prefix, os.Getuid(), os.Getpid(), name)
	addr := base
	for i := 2; ; i++ {
		ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: addr, Net: "unix"})
		if errors.Is(err, unix.EADDRINUSE) && i < 100 {
			addr = fmt.Sprintf("%s-%d", base, i)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("listening for shells: %w", err)
		}
		defer ln.Close()
		return ln.File()
	}
}

// Lab is a lab that runs, as those who enter it need it. Its methods are called from any goroutine.
type Lab interface {
	// Enter runs f on the calling thread in a namespace of the lab's.
	Enter(namespace string, f func() error) error
	// Resolver is the DNS server of a namespace.
	Resolver(namespace string) netip.Addr
}

// server starts shells in the lab's namespaces.
type server struct {
	lab Lab
	wg  sync.WaitGroup
}

// Serve starts the shells that are asked for, until ctx ends and they have.
func Serve(ctx context.Context, ln net.Listener, lab Lab) {
	s := &server{lab: lab}
	defer s.wg.Wait()
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer stop()
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		s.wg.Go(func() {
			defer conn.Close()
			var reply answer
			reply.Exit, err = s.handle(ctx, conn.(*net.UnixConn))
			if err != nil {
				reply.Error = err.Error()
			}
			_ = json.NewEncoder(conn).Encode(reply)
		})
	}
}

func (s *server) handle(ctx context.Context, conn *net.UnixConn) (int, error) {
	if err := sameUser(conn); err != nil {
		return 0, err
	}
	buf, oob := make([]byte, 1<<16), make([]byte, unix.CmsgSpace(3*4))
	n, oobn, _, _, err := conn.ReadMsgUnix(buf, oob)
	if err != nil {
		return 0, err
	}
	files, err := receivedFiles(oob[:oobn])
	if err != nil {
		return 0, err
	}
	defer func() {
		for _, f := range files {
			_ = f.Close()
		}
	}()
	var req call
	if err := json.Unmarshal(buf[:n], &req); err != nil || len(files) != 3 {
		return 0, errors.New("the lab did not understand the request")
	}
	argv := req.Command
	if len(argv) == 0 {
		argv = []string{"/bin/sh"}
		if sh, err := exec.LookPath("bash"); err == nil {
			argv = []string{sh, "--norc"}
		}
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = files[0], files[1], files[2]
	cmd.Env = append(os.Environ(), "TERM="+req.Term, "PS1="+req.Namespace+"$ ",
		"PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin") // ip, tcpdump and wg live there, outside of an ordinary user's path
	if p := lookIn(argv[0]); cmd.Err != nil && p != "" {
		cmd.Path, cmd.Err = p, nil
	}
	// The command is the first of a process namespace: what it has started ends with it, and so with the lab, whatever ends that.
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL, Setsid: true, Setctty: req.Terminal,
	}
	err = s.inside(req.Namespace, func() error { // the thread stays inside until the command ends: Pdeathsig is its death
		warnings, err := ownMounts(s.lab.Resolver(req.Namespace))
		if err != nil {
			return err
		}
		for _, w := range warnings {
			fmt.Fprintln(files[2], "glasshouse shell:", w)
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		for _, f := range files {
			_ = f.Close()
		}
		done := make(chan struct{})
		defer close(done)
		stop := func() {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGHUP)
			select {
			case <-done:
			case <-time.After(hangUpGrace):
				_ = cmd.Process.Kill()
			}
		}
		defer context.AfterFunc(ctx, stop)()
		go func() { // a caller that goes away takes its command with it
			_, _ = conn.Read(make([]byte, 1))
			select {
			case <-done:
			default:
				stop()
			}
		}()
		return cmd.Wait()
	})
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// inside runs f in a namespace, on a thread that ends with it.
func (s *server) inside(namespace string, f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread keeps the mounts that f makes
		done <- s.lab.Enter(namespace, f)
	}()
	return <-done
}

// hangUpGrace is how long a command that is hung up on may take to end what it writes, as tcpdump does its capture.
const hangUpGrace = time.Second

// lookIn finds a command in the system directories that are not on an ordinary user's path.
func lookIn(name string) string {
	if strings.Contains(name, "/") {
		return ""
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if p, err := exec.LookPath(dir + "/" + name); err == nil {
			return p
		}
	}
	return ""
}

// sameUser refuses callers other than the user who started the lab.
func sameUser(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) { cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return err
	}
	if credErr != nil || int(cred.Uid) != os.Getuid() {
		return errors.New("the lab belongs to another user")
	}
	return nil
}

func receivedFiles(oob []byte) ([]*os.File, error) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for i := range msgs {
		fds, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			return nil, err
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "stdio"))
		}
	}
	return files, nil
}
