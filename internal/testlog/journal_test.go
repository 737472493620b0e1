package testlog

import (
	"strings"
	"sync"
	"testing"
)

func TestAJournalKeepsWhatGoroutinesLog(t *testing.T) {
	t.Parallel()
	var (
		journal Journal
		wg      sync.WaitGroup
	)
	log := journal.Logger()
	for range 4 {
		wg.Go(func() {
			for range 100 {
				log.Debug("fine print")
				log.Info("news", "whence", "here")
			}
		})
	}
	wg.Wait()
	if got := journal.Count(`level=INFO msg=news whence=here`); got != 400 {
		t.Errorf("%d lines of news, want 400", got)
	}
	if text := journal.String(); strings.Contains(text, "fine print") || strings.Count(text, "\n") != 400 {
		t.Errorf("want 400 lines and no fine print:\n%s", text)
	}
}
