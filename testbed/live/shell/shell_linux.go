package shell

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

const prefix = "@glasshouse/"

// call is what a caller sends, with three file descriptors.
type call struct {
	Namespace string
	Command   []string
	Terminal  bool // the descriptors are a terminal that the shell may control
	Term      string
}

type answer struct {
	Exit  int
	Error string
}

// LabInfo is a lab that runs now.
type LabInfo struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
	addr string
}

// Labs lists the labs of this user that run now, the newest last.
func Labs() ([]LabInfo, error) {
	f, err := os.Open("/proc/net/unix")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	mine := fmt.Sprintf("%s%d/", prefix, os.Getuid())
	seen := make(map[string]bool)
	var labs []LabInfo
	for sc := bufio.NewScanner(f); sc.Scan(); {
		fields := strings.Fields(sc.Text())
		addr := fields[len(fields)-1]
		if !strings.HasPrefix(addr, mine) || seen[addr] {
			continue
		}
		seen[addr] = true
		pid, name, _ := strings.Cut(strings.TrimPrefix(addr, mine), "/")
		n, _ := strconv.Atoi(pid)
		labs = append(labs, LabInfo{Name: name, PID: n, addr: addr})
	}
	sort.Slice(labs, func(i, j int) bool {
		return labs[i].PID < labs[j].PID || (labs[i].PID == labs[j].PID && labs[i].Name < labs[j].Name)
	})
	return labs, nil
}

// Run runs a command, or an interactive shell if there is none, in a namespace of a running lab: "gateway", "internet"
// or a device's unit. lab is a lab's name, or "" for the only or the newest one. It returns the command's exit code.
func Run(ctx context.Context, lab, namespace string, command []string) (int, error) {
	labs, err := Labs()
	if err != nil {
		return 0, err
	}
	var to *LabInfo
	names := make([]string, 0, len(labs))
	for i := range labs {
		names = append(names, labs[i].Name)
		if lab == "" || labs[i].Name == lab {
			to = &labs[i]
		}
	}
	if to == nil {
		if len(labs) == 0 {
			return 0, errors.New("no lab runs now: start one with `glasshouse run` in another terminal")
		}
		return 0, fmt.Errorf("no lab is called %q; running: %s", lab, strings.Join(names, ", "))
	}
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: to.addr, Net: "unix"})
	if err != nil {
		return 0, fmt.Errorf("calling the lab %s: %w", to.Name, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()

	req := call{Namespace: namespace, Command: command, Term: os.Getenv("TERM")}
	stdio := []*os.File{os.Stdin, os.Stdout, os.Stderr}
	if len(command) == 0 && term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd())) {
		relay, err := relayTerminal(os.Stdin, os.Stdout)
		if err != nil {
			return 0, err
		}
		defer relay.Close()
		req.Terminal = true
		stdio = []*os.File{relay.slave, relay.slave, relay.slave}
	}
	body, err := json.Marshal(req)
	if err != nil {
		return 0, err
	}
	rights := unix.UnixRights(int(stdio[0].Fd()), int(stdio[1].Fd()), int(stdio[2].Fd()))
	if _, _, err := conn.WriteMsgUnix(append(body, '\n'), rights, nil); err != nil {
		return 0, fmt.Errorf("calling the lab %s: %w", to.Name, err)
	}
	var reply answer
	if err := json.NewDecoder(conn).Decode(&reply); ctx.Err() != nil {
		return 0, errors.New("stopped")
	} else if err != nil {
		return 0, fmt.Errorf("the lab %s ended: %w", to.Name, err)
	}
	if reply.Error != "" {
		return 0, errors.New(reply.Error)
	}
	return reply.Exit, nil
}
