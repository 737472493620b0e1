package password

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
)

func TestCheckAgainstNothingFails(t *testing.T) {
	t.Parallel()
	ok, err := NewChecker().Check(t.Context(), nil, "hello")
	if ok || err != nil {
		t.Errorf("Check(nil) = %v, %v, want false", ok, err)
	}
}

func TestChecksWaitForAProcessorAndGiveUpWithTheirContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &Checker{slots: make(chan struct{}, 1)}
		release := make(chan struct{})
		done := make(chan error, 3)
		go func() { done <- c.run(t.Context(), func() { <-release }) }()
		synctest.Wait()

		ctx, cancel := context.WithCancel(t.Context())
		ran := false
		go func() { done <- c.run(ctx, func() { ran = true }) }()
		synctest.Wait()
		if ran {
			t.Error("a second computation ran beside the first, want it to wait")
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("run with a cancelled context = %v, want context.Canceled", err)
		}
		go func() { done <- c.run(t.Context(), func() { ran = true }) }()
		close(release)
		for range 2 {
			if err := <-done; err != nil {
				t.Errorf("run = %v, want nil", err)
			}
		}
		if !ran {
			t.Error("the waiting computation did not run after the first had ended")
		}
	})
}

func TestTooManyWaitingChecksAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &Checker{slots: make(chan struct{}, 1)}
		c.slots <- struct{}{}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for range maxWaiting {
			go c.run(ctx, func() {})
		}
		synctest.Wait()
		if err := c.run(ctx, func() {}); !errors.Is(err, ErrBusy) {
			t.Errorf("run beside %d waiting = %v, want ErrBusy", maxWaiting, err)
		}
		cancel()
		synctest.Wait()
		<-c.slots
		if err := c.run(t.Context(), func() {}); err != nil {
			t.Errorf("run when nobody waits = %v, want nil", err)
		}
	})
}

func BenchmarkCheckPlain(b *testing.B) {
	p, c := Plain("hello"), NewChecker()
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := c.Check(b.Context(), &p, "hello"); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

func TestCheckerHashesLikeItChecks(t *testing.T) {
	t.Parallel()
	c := NewChecker()
	p, err := c.Hash(t.Context(), "secret")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := c.Check(t.Context(), &p, "secret"); !ok || err != nil {
		t.Errorf("Check of what was hashed = %v, %v, want true", ok, err)
	}
	if key := string(p.key); !strings.HasPrefix(key, "$2a$10$") {
		t.Errorf("hashed as %.7s…, want a cost of 10", key)
	}
	if _, err := c.Hash(t.Context(), strings.Repeat("x", MaxBcryptBytes+1)); err == nil {
		t.Errorf("Hash of more than %d bytes succeeded", MaxBcryptBytes)
	}
	c.waiting.Store(maxWaiting)
	if _, err := c.Hash(t.Context(), "secret"); !errors.Is(err, ErrBusy) {
		t.Errorf("Hash when too many are waiting = %v, want %v", err, ErrBusy)
	}
}
