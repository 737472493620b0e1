package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"galene/internal/testkit"
	"galene/internal/testlog"
)

// openTerminal returns the two ends of a pseudo-terminal: what a person sees and types, and what programs use.
func openTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal: %v", err)
	}
	number, err := unix.IoctlGetUint32(int(person.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		person.Close()
		t.Skipf("no terminal: %v", err)
	}
	t.Cleanup(func() {
		person.Close()
		program.Close()
	})
	return person, program
}

// awaitEcho waits until the terminal shows what is typed, or does not.
func awaitEcho(t *testing.T, program *os.File, want bool) {
	t.Helper()
	for deadline := time.Now().Add(testkit.Patience); ; time.Sleep(time.Millisecond) {
		state, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		if (state.Lflag&unix.ECHO != 0) == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the terminal's echo is not %t", want)
		}
	}
}

func TestPasswordsAreNotShownOnTheTerminal(t *testing.T) {
	t.Parallel()
	person, program := openTerminal(t)
	var stdout, stderr testlog.Journal
	status := make(chan int, 1)
	go func() {
		status <- run(t.Context(), []string{"hash-password", "-cost", "4"}, program, &stdout, &stderr)
	}()
	awaitEcho(t, program, false)
	if _, err := person.WriteString("sesame\n"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(testkit.Patience); !strings.Contains(stderr.String(), "Again: "); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not ask again: %q", stderr.String())
		}
	}
	awaitEcho(t, program, false)
	if _, err := person.WriteString("sesame\n"); err != nil {
		t.Fatal(err)
	}
	if got := <-status; got != statusDone || !strings.Contains(stdout.String(), "bcrypt") {
		t.Fatalf("status %d, stdout %q, stderr %q", got, stdout.String(), stderr.String())
	}
	awaitEcho(t, program, true)
	// What is typed from now on is shown, and nothing was before.
	if _, err := person.WriteString("visible"); err != nil {
		t.Fatal(err)
	}
	shown := make([]byte, 1000)
	n, err := person.Read(shown)
	if got := string(shown[:n]); got == "" || err != nil || !strings.HasPrefix("visible", got) {
		t.Errorf("the terminal shows %q, %v", got, err)
	}
}

func TestTheTerminalIsLeftAsItWasWhenThePromptIsInterrupted(t *testing.T) {
	t.Parallel()
	person, program := openTerminal(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout, stderr testlog.Journal
	status := make(chan int, 1)
	go func() {
		status <- run(ctx, []string{"hash-password"}, program, &stdout, &stderr)
	}()
	awaitEcho(t, program, false)
	cancel()
	if got := <-status; got != statusFailed || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("status %d, stdout %q, stderr %q", got, stdout.String(), stderr.String())
	}
	awaitEcho(t, program, true)
	if _, err := person.WriteString("\n"); err != nil { // what still reads may end
		t.Fatal(err)
	}
}
