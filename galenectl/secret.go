package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// maxSecretBytes bounds the line that holds a secret.
const maxSecretBytes = 64 << 10

// given reports whether the command line has a flag.
func given(set *flag.FlagSet, name string) bool {
	found := false
	set.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

// secret returns what either a flag says or the first line of a file, which another flag, of the same name with -file at its end, has
// named. It returns nothing if neither does.
func (e *environment) secret(value, file, name string) (string, error) {
	switch {
	case file == "":
		return value, nil
	case value != "":
		return "", usageError(name + " and " + name + "-file contradict each other")
	}
	input, label := e.stdin, "standard input"
	if file == "-" {
		if err := e.claimInput(); err != nil {
			return "", err
		}
	} else {
		opened, err := os.Open(file) //nolint:gosec // its user names it
		if err != nil {
			return "", fmt.Errorf("%s-file: %w", name, err)
		}
		defer opened.Close()
		input, label = opened, file
	}
	line, err := bufio.NewReader(io.LimitReader(input, maxSecretBytes)).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("%s-file: %w", name, err)
	}
	if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
		return "", fmt.Errorf("%s-file: the first line of %s is empty", name, label)
	}
	return string(line), nil
}

// claimInput makes sure that standard input is read for one purpose only.
func (e *environment) claimInput() error {
	if e.inputTaken {
		return usageError("only one thing can be read from standard input")
	}
	e.inputTaken = true
	return nil
}

// prompt asks for a secret on the terminal, without showing it. instead is the flag that helps where there is no terminal.
func (e *environment) prompt(ctx context.Context, label, instead string) (string, error) {
	terminal := int(e.stdin.Fd())
	if e.inputTaken || !term.IsTerminal(terminal) {
		return "", fmt.Errorf("there is no terminal to ask for a password: use %s", instead)
	}
	state, err := term.GetState(terminal)
	if err != nil {
		return "", err
	}
	_, _ = fmt.Fprint(e.stderr, label)
	type answer struct {
		text []byte
		err  error
	}
	// Nothing can interrupt the reading. If the user gives up, the process ends before it does.
	answers := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(terminal)
		answers <- answer{text, err}
	}()
	select {
	case a := <-answers:
		_, _ = fmt.Fprintln(e.stderr)
		if a.err == nil && len(a.text) == 0 {
			a.err = errors.New("the password is empty")
		}
		return string(a.text), a.err
	case <-ctx.Done():
		_, _ = fmt.Fprintln(e.stderr)
		return "", errors.Join(errors.New("interrupted"), term.Restore(terminal, state))
	}
}

// promptNew asks for a password that is going to be set, twice lest it be mistyped.
func (e *environment) promptNew(ctx context.Context, instead string) (string, error) {
	first, err := e.prompt(ctx, "New password: ", instead)
	if err != nil {
		return "", err
	}
	second, err := e.prompt(ctx, "Again: ", instead)
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the passwords differ: nothing was changed")
	}
	return first, nil
}
