package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
)

// usage is what the threads of a process have used so far. Threads that have
// ended are not counted; those of Go programs hardly ever end.
type usage struct {
	cpu      time.Duration
	switches uint64 // from one thread to another, for whatever reason
}

// since is what has been used since an earlier time.
func (u usage) since(earlier usage) usage {
	return usage{u.cpu - earlier.cpu, u.switches - earlier.switches}
}

// proc is the file system in which Linux shows its processes (proc(5)).
type proc struct{ fs.FS }

func newProc() proc { return proc{os.DirFS("/proc")} }

// usage adds up what a process has used, from the scheduler's statistics: these
// count nanoseconds, while times(2) counts ticks.
func (p proc) usage(pid int) (usage, error) {
	tasks := path.Join(strconv.Itoa(pid), "task")
	threads, err := fs.ReadDir(p, tasks)
	if err != nil {
		return usage{}, fmt.Errorf("find the threads of process %d: %w", pid, err)
	}
	var total usage
	for _, thread := range threads {
		u, err := p.thread(pid, thread.Name())
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has ended
		}
		if err != nil {
			return usage{}, err
		}
		total.cpu += u.cpu
		total.switches += u.switches
	}
	if total.cpu == 0 {
		return usage{}, fmt.Errorf("process %d: the scheduler keeps no statistics", pid)
	}
	return total, nil
}

// thread is what one thread of a process has used.
func (p proc) thread(pid int, thread string) (usage, error) {
	u, err := p.readThread(path.Join(strconv.Itoa(pid), "task", thread))
	if err != nil {
		return usage{}, fmt.Errorf("thread %s of process %d: %w", thread, pid, err)
	}
	return u, nil
}

func (p proc) readThread(directory string) (usage, error) {
	text, err := fs.ReadFile(p, path.Join(directory, "schedstat"))
	if err != nil {
		return usage{}, err
	}
	cpu, err := parseSchedstat(string(text))
	if err != nil {
		return usage{}, err
	}
	text, err = fs.ReadFile(p, path.Join(directory, "status"))
	if err != nil {
		return usage{}, err
	}
	voluntary, err := parseStatus(string(text), "voluntary_ctxt_switches")
	if err != nil {
		return usage{}, err
	}
	involuntary, err := parseStatus(string(text), "nonvoluntary_ctxt_switches")
	if err != nil {
		return usage{}, err
	}
	return usage{cpu, voluntary + involuntary}, nil
}

// memory is a process's resident anonymous memory in kilobytes of 1024 octets.
// Pages of the program's file are left out: they do not grow with the number of
// clients, and are touched one by one as code runs for the first time.
func (p proc) memory(pid int) (uint64, error) {
	text, err := fs.ReadFile(p, path.Join(strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, err
	}
	return parseStatus(string(text), "RssAnon")
}

// parseSchedstat returns the time that a thread has run, the first of the three
// numbers in its schedstat.
func parseSchedstat(text string) (time.Duration, error) {
	fields := strings.Fields(text)
	if len(fields) != 3 {
		return 0, fmt.Errorf("scheduler statistics %q are not three numbers", text)
	}
	nanoseconds, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil || nanoseconds < 0 {
		return 0, fmt.Errorf("scheduler statistics %q do not begin with a time", text)
	}
	return time.Duration(nanoseconds), nil
}

// parseStatus returns the number on the line of that name.
func parseStatus(text, name string) (uint64, error) {
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, ":")
		fields := strings.Fields(value)
		if key != name || len(fields) == 0 {
			continue
		}
		return strconv.ParseUint(fields[0], 10, 64)
	}
	return 0, fmt.Errorf("status has no %s", name)
}
