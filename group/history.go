package group

import (
	"encoding/json"
	"slices"
	"time"

	"galene/config"
)

// ChatEntry is one message of the chat history. It must not be changed once it
// was handed over.
type ChatEntry struct {
	ID, Source, Username, Kind string
	Privileged                 bool // the sender was an operator
	Time                       time.Time
	Value                      json.RawMessage
}

func (e *ChatEntry) size() int {
	return len(e.ID) + len(e.Source) + len(e.Username) + len(e.Kind) + len(e.Value)
}

// history is the newest chat messages of a group, oldest first. Its group's
// lock guards it.
type history struct {
	entries []ChatEntry
	bytes   int
}

// add appends e, and drops what is over the bounds, oldest first. An entry that
// is too large by itself is not kept.
func (h *history) add(e ChatEntry, limits config.Limits) {
	if e.size() > limits.HistoryBytes {
		return
	}
	h.entries = append(h.entries, e)
	h.bytes += e.size()
	drop := max(len(h.entries)-limits.HistoryMessages, 0)
	excess := h.bytes
	for i := range drop {
		excess -= h.entries[i].size()
	}
	for ; excess > limits.HistoryBytes; drop++ {
		excess -= h.entries[drop].size()
	}
	h.entries = slices.Delete(h.entries, 0, drop)
	h.bytes = excess
}

// remove drops the entries that match.
func (h *history) remove(match func(*ChatEntry) bool) {
	h.entries = slices.DeleteFunc(h.entries, func(e ChatEntry) bool {
		if !match(&e) {
			return false
		}
		h.bytes -= e.size()
		return true
	})
}

// since drops what is older than oldest and returns a copy of the rest.
func (h *history) since(oldest time.Time) []ChatEntry {
	h.remove(func(e *ChatEntry) bool { return e.Time.Before(oldest) })
	return slices.Clone(h.entries)
}
