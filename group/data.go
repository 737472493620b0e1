package group

import (
	"bytes"
	"encoding/json"
	"maps"
)

// Data is what clients store with a member or a group; the server does not look
// into it. It must not be changed once it was handed over.
type Data map[string]json.RawMessage

// Merge returns d with the values of patch, where null removes a key.
func (d Data) Merge(patch Data) Data {
	result := make(Data, len(d)+len(patch))
	maps.Copy(result, d)
	for key, value := range patch {
		if value = bytes.TrimSpace(value); len(value) == 0 || bytes.Equal(value, []byte("null")) {
			delete(result, key)
		} else {
			result[key] = value
		}
	}
	return result
}

// size is how many bytes the names and values of d take.
func (d Data) size() int {
	size := 0
	for key, value := range d {
		size += len(key) + len(value)
	}
	return size
}
