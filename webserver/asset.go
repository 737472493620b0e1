package webserver

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
)

const (
	// minCompress is the size in bytes below which compression saves nothing
	// worth having.
	minCompress = 1024
	// maxCompress is the size in bytes above which a file is not kept in
	// memory in compressed form.
	maxCompress = 16 << 20
)

// asset is what is known in advance of a file that cannot change.
type asset struct {
	tag        string        // entity tag of the file as it is, without quotes
	compressed func() []byte // gzip form, made once; nil if that is not worthwhile
}

// newAsset describes the named file with the given contents, which it does
// not keep.
func newAsset(root fs.FS, name string, data []byte) *asset {
	sum := sha256.Sum256(data)
	a := &asset{tag: base64.RawURLEncoding.EncodeToString(sum[:16])}
	if !compressible(name) || len(data) < minCompress || len(data) > maxCompress {
		return a
	}
	a.compressed = sync.OnceValue(func() []byte { return compress(root, name) })
	return a
}

func compressible(name string) bool {
	kind, _, _ := strings.Cut(contentTypes[path.Ext(name)], ";")
	switch kind {
	case "application/json", "application/manifest+json", "application/wasm", "image/svg+xml":
		return true
	}
	return strings.HasPrefix(kind, "text/")
}

// compress returns the gzip form of a file, or nil if it is not smaller.
func compress(root fs.FS, name string) []byte {
	data, err := fs.ReadFile(root, name)
	if err != nil {
		return nil
	}
	var buffer bytes.Buffer
	w, err := gzip.NewWriterLevel(&buffer, gzip.BestCompression)
	if err != nil {
		return nil
	}
	if _, err := w.Write(data); err != nil {
		return nil
	}
	if err := w.Close(); err != nil || buffer.Len() >= len(data) {
		return nil
	}
	return buffer.Bytes()
}

// negotiate chooses the form of the asset that suits a request, given its plain
// form, and sets the headers of the reply that depend on the choice. Ranges are
// of the plain form.
func (a *asset) negotiate(header http.Header, r *http.Request, plain io.ReadSeeker) io.ReadSeeker {
	header.Set("ETag", `"`+a.tag+`"`)
	if a.compressed == nil {
		return plain
	}
	header.Add("Vary", "Accept-Encoding")
	if r.Header.Get("Range") != "" || !acceptsGzip(r.Header) {
		return plain
	}
	data := a.compressed()
	if data == nil {
		return plain
	}
	header.Set("ETag", `"`+a.tag+`-gzip"`)
	header.Set("Content-Encoding", "gzip")
	return bytes.NewReader(data)
}

// acceptsGzip tells whether the client takes gzip (RFC 9110 §12.5.3). Any
// weight but zero counts as a yes.
func acceptsGzip(header http.Header) bool {
	accepted := false
	for _, value := range header.Values("Accept-Encoding") {
		for coding := range strings.SplitSeq(value, ",") {
			name, parameter, _ := strings.Cut(coding, ";")
			weight, hasWeight := strings.CutPrefix(strings.TrimSpace(parameter), "q=")
			wanted := !hasWeight || strings.Trim(weight, "0.") != ""
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "gzip":
				return wanted
			case "*":
				accepted = wanted
			}
		}
	}
	return accepted
}
