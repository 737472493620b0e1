package group

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"galene/config"
	"galene/password"
)

// crashDirectory names the environment variable that makes the test binary
// write definitions in that directory until it is killed, and crashRounds the
// one that says how often that is to be done.
const (
	crashDirectory = "GALENE_CRASH_DIRECTORY"
	crashRounds    = "GALENE_CRASH_ROUNDS"
)

// writeUntilKilled changes definitions for ever, and tells on its standard
// output what has been done.
func writeUntilKilled(dir string) {
	r := NewRegistry(Options{
		Directory: dir,
		Settings:  func() *config.Settings { return &config.Settings{WritableGroups: true} },
	})
	d, _, err := r.ReadDefinition("room")
	for i := 0; err == nil; i++ {
		if i == 0 {
			if i, err = strconv.Atoi(d.DisplayName); err != nil {
				break
			}
			i++
		}
		err = writeOnce(r, i)
		fmt.Println(i)
	}
	fmt.Println(err)
	os.Exit(1)
}

// writeOnce changes a definition, one of its users, and makes or removes
// another definition.
func writeOnce(r *Registry, i int) error {
	d := &Description{DisplayName: strconv.Itoa(i), Comment: strings.Repeat("x", i*977%20_000)}
	if _, err := r.WriteDefinition("room", d, AnyTag); err != nil {
		return err
	}
	secret := password.Plain(strconv.Itoa(i))
	if err := r.SetPassword("room", UserKey{Name: "bob"}, &secret, AnyTag); err != nil {
		return err
	}
	name := otherGroup(i)
	if err := r.DeleteDefinition(name, AnyTag); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	_, err := r.WriteDefinition(name, d, "")
	return err
}

// otherGroups is how many other groups there are in turn.
const otherGroups = 7

func otherGroup(i int) string { return fmt.Sprintf("dir%d/other", i%otherGroups) }

// However often the server is killed while it changes definitions, none is ever
// torn or lost, and what has been acknowledged stays.
func TestDefinitionsSurviveCrashes(t *testing.T) {
	t.Parallel()
	rounds := 50
	if text := os.Getenv(crashRounds); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", crashRounds, err)
		}
	}
	if testing.Short() {
		rounds = 5
	}
	h := newHouse(t, map[string]string{"room": `{"displayName":"0","users":{"bob":{"permissions":"op"}}}`})
	written, others := 0, make(map[int]int)
	for range rounds {
		acknowledged := h.crash(t)
		last := acknowledged[len(acknowledged)-1]
		for _, i := range acknowledged {
			others[i%otherGroups] = i
		}
		delete(others, (last+1)%otherGroups) // which was being changed

		if written = h.checkAfterCrash(t); written < last || written > last+1 {
			t.Fatalf("the definition says %d after %d was acknowledged", written, last)
		}
		for _, i := range others {
			if d, _, err := h.ReadDefinition(otherGroup(i)); err != nil || d.DisplayName != strconv.Itoa(i) {
				t.Fatalf("another definition is %+v, %v, after %d was acknowledged", d, err, i)
			}
		}
	}
	t.Logf("%d changes, %d crashes", written, rounds)
	if written < rounds {
		t.Errorf("only %d changes in %d rounds", written, rounds)
	}
}

// crash has a process change definitions, kills it at any time, and returns
// what it has acknowledged, which is something.
func (h *house) crash(t *testing.T) (acknowledged []int) {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), crashDirectory+"="+h.dir)
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(output)
	first, err := reader.ReadString('\n')
	if err != nil {
		t.Fatalf("the writer said %q: %v", first, err)
	}
	time.Sleep(rand.N(30 * time.Millisecond))
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	_ = command.Wait() // it was killed
	for line := range bytes.Lines([]byte(first + string(rest))) {
		if i, err := strconv.Atoi(strings.TrimSuffix(string(line), "\n")); err == nil {
			acknowledged = append(acknowledged, i)
		} else if bytes.HasSuffix(line, []byte("\n")) {
			t.Fatalf("the writer failed: %s", line)
		}
	}
	return acknowledged
}

// checkAfterCrash checks that every definition is whole, and returns what the
// first one says.
func (h *house) checkAfterCrash(t *testing.T) int {
	t.Helper()
	names, err := h.Names()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		d, _, err := h.ReadDefinition(name)
		if err != nil {
			t.Fatalf("after a crash: %v", err)
		}
		i, err := strconv.Atoi(d.DisplayName)
		if err != nil || len(d.Comment) != i*977%20_000 {
			t.Fatalf("%s says %q and %d bytes of comment after a crash", name, d.DisplayName, len(d.Comment))
		}
	}
	d, _, err := h.ReadDefinition("room")
	if err != nil {
		t.Fatal(err)
	}
	if bob := d.Users["bob"]; bob.Permissions.Set() != "op" {
		t.Fatalf("users are %+v after a crash", d.Users)
	}
	h.removeTemporary(t)
	i, err := strconv.Atoi(d.DisplayName)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// removeTemporary has what the crash has left behind removed, and checks that.
func (h *house) removeTemporary(t *testing.T) {
	t.Helper()
	leftovers := func() []string {
		var found []string
		for _, pattern := range []string{".*", "*/.*"} {
			files, err := filepath.Glob(filepath.Join(h.dir, pattern))
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, files...)
		}
		return found
	}
	past := time.Now().Add(-2 * leftoverAge)
	for _, file := range leftovers() {
		if err := os.Chtimes(file, past, past); err != nil {
			t.Fatal(err)
		}
	}
	h.scan()
	if files := leftovers(); len(files) > 0 {
		t.Fatalf("left over after a crash: %q", files)
	}
}
