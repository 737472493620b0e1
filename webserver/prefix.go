package webserver

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"path"
	"time"
)

// prefixed returns a page of the embedded client as visitors see it behind a
// proxy that shows the server below a path: what it refers to is there too. The
// page refers to nothing but absolute paths. Other files refer to what is beside
// them, and stay as they are.
func prefixed(page []byte, prefix string) []byte {
	escaped := template.HTMLEscapeString((&url.URL{Path: prefix}).EscapedPath())
	return bytes.ReplaceAll(page, []byte(`="/`), []byte(`="`+escaped+`/`))
}

// pagePrefix is the path that the named file has to know of, empty for none.
func (f *files) pagePrefix(name string) string {
	if f.prefix == nil || path.Ext(name) != ".html" {
		return ""
	}
	return f.prefix()
}

// servePrefixed replies with a page that knows the path below which it is shown.
func servePrefixed(w http.ResponseWriter, r *http.Request, name, prefix string, content io.Reader) error {
	page, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	page = prefixed(page, prefix)
	sum := sha256.Sum256(page)
	w.Header().Set("ETag", `"`+base64.RawURLEncoding.EncodeToString(sum[:16])+`"`)
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(page))
	return nil
}
