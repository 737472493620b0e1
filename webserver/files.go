package webserver

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"syscall"
)

const (
	// staticCacheControl is for files that may change with the next release.
	staticCacheControl = "max-age=1800"
	// thirdPartyCacheControl is for libraries, which hardly ever change.
	thirdPartyCacheControl = "max-age=86400"
	thirdPartyPrefix       = "third-party/"

	notFoundPage     = "404.html"
	notFoundFallback = "<p>Not found</p>\n"
)

// contentTypes gives the types of the files that a web client consists of, so
// that they do not depend on the tables of the machine.
var contentTypes = map[string]string{
	".css":         "text/css; charset=utf-8",
	".html":        "text/html; charset=utf-8",
	".ico":         "image/vnd.microsoft.icon",
	".jpg":         "image/jpeg",
	".js":          "text/javascript; charset=utf-8",
	".json":        "application/json",
	".map":         "application/json",
	".mkv":         "video/x-matroska",
	".mjs":         "text/javascript; charset=utf-8",
	".mp3":         "audio/mpeg",
	".ogg":         "audio/ogg",
	".png":         "image/png",
	".svg":         "image/svg+xml",
	".tflite":      "application/octet-stream",
	".txt":         "text/plain; charset=utf-8",
	".wasm":        "application/wasm",
	".wav":         "audio/wav",
	".webm":        "video/webm",
	".webmanifest": "application/manifest+json",
	".webp":        "image/webp",
	".woff2":       "font/woff2",
}

// files serves the web client from a tree of files. Its methods may be called
// from any goroutine.
type files struct {
	root fs.FS
	log  *slog.Logger
	// assets describes the files of a tree that cannot change. It is nil for a
	// directory, whose files are looked at at each request.
	assets map[string]*asset
	// prefix returns the path below which visitors see the pages, without final
	// slash. It is nil for a directory, whose pages are served as they are.
	prefix func() string
}

// newEmbedded serves a tree that does not change while the program runs. Its
// pages are seen below prefix.
func newEmbedded(root fs.FS, prefix func() string, log *slog.Logger) (*files, error) {
	assets := make(map[string]*asset)
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		assets[name] = newAsset(root, name, data)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the embedded client: %w", err)
	}
	return &files{root: root, log: log, assets: assets, prefix: prefix}, nil
}

// outcome says what a name in the tree leads to.
type outcome int

const (
	served    outcome = iota // a reply was written
	missing                  // there is no such file
	isFolder                 // it is a directory
	forbidden                // it may not be read
	broken                   // reading it failed; logged
)

// serve replies with the named file, which is a path relative to the root
// without leading slash. It writes nothing unless it returns served.
func (f *files) serve(w http.ResponseWriter, r *http.Request, name string) outcome {
	content, info, result := f.openSeeker(name)
	if result != served {
		return result
	}
	defer func() { _ = content.Close() }()

	header := w.Header()
	header.Set("Cache-Control", cacheControl(name))
	setContentType(header, name)
	if prefix := f.pagePrefix(name); prefix != "" {
		if err := servePrefixed(w, r, name, prefix, content); err != nil {
			return f.explain(name, err)
		}
		return served
	}
	a := f.assets[name]
	if a == nil {
		header.Set("ETag", fileTag(info))
		http.ServeContent(w, r, name, info.ModTime(), content)
		return served
	}
	http.ServeContent(w, r, name, info.ModTime(), a.negotiate(header, r, content))
	return served
}

// notFound replies that there is nothing, with the tree's own page if it has
// one.
func (f *files) notFound(w http.ResponseWriter) {
	body := []byte(notFoundFallback)
	if file, _, result := f.open(notFoundPage); result == served {
		if data, err := io.ReadAll(file); err == nil {
			body = data
			if prefix := f.pagePrefix(notFoundPage); prefix != "" {
				body = prefixed(data, prefix)
			}
		}
		_ = file.Close()
	}
	header := w.Header()
	header.Set("Content-Type", contentTypes[".html"])
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write(body) // the client has gone if it fails
}

// isFolder tells whether the path, which is empty for the root, leads to a
// directory.
func (f *files) isFolder(name string) bool {
	if name == "" {
		return true
	}
	return f.find(name) == isFolder
}

// open opens a regular file. The caller closes it if the outcome is served.
func (f *files) open(name string) (fs.File, fs.FileInfo, outcome) {
	// The type is asked before, because opening a pipe would block.
	if result := f.find(name); result != served {
		return nil, nil, result
	}
	file, err := f.root.Open(name)
	if err != nil {
		return nil, nil, f.explain(name, err)
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close()
		return nil, nil, f.explain(name, err)
	}
	return file, info, served
}

// openSeeker is open for a file that can be served in parts.
func (f *files) openSeeker(name string) (io.ReadSeekCloser, fs.FileInfo, outcome) {
	file, info, result := f.open(name)
	if result != served {
		return nil, nil, result
	}
	content, ok := file.(io.ReadSeekCloser)
	if !ok {
		_ = file.Close()
		f.log.Error("cannot seek in a file", "file", name)
		return nil, nil, broken
	}
	return content, info, served
}

// find tells what a name leads to, served meaning a regular file.
func (f *files) find(name string) outcome {
	if !fs.ValidPath(name) {
		return missing
	}
	info, err := fs.Stat(f.root, name)
	switch {
	case err != nil:
		return f.explain(name, err)
	case info.IsDir():
		return isFolder
	case !info.Mode().IsRegular():
		return missing
	}
	return served
}

// explain sorts the reasons for which a file cannot be opened. A name that no
// file can have, and a symbolic link that leads out of the tree, are missing.
func (f *files) explain(name string, err error) outcome {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid),
		errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, syscall.ENOTDIR),
		errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.ELOOP), isEscape(err):
		return missing
	case errors.Is(err, fs.ErrPermission):
		return forbidden
	}
	f.log.Error("cannot read a file", "file", name, "error", err)
	return broken
}

// isEscape recognises the error of [os.Root] for a path that leads out of it,
// which is not exported.
func isEscape(err error) bool {
	pathError, ok := errors.AsType[*fs.PathError](err)
	return ok && pathError.Err != nil && pathError.Err.Error() == "path escapes from parent"
}

func cacheControl(name string) string {
	if strings.HasPrefix(name, thirdPartyPrefix) {
		return thirdPartyCacheControl
	}
	return staticCacheControl
}

// setContentType leaves types that are not known by the extension to
// [http.ServeContent].
func setContentType(header http.Header, name string) {
	extension := strings.ToLower(path.Ext(name))
	kind, ok := contentTypes[extension]
	if !ok {
		kind = mime.TypeByExtension(extension)
	}
	if kind != "" {
		header.Set("Content-Type", kind)
	}
}

// fileTag is the strong entity tag of a file that may change.
func fileTag(info fs.FileInfo) string {
	return fmt.Sprintf(`"%d-%d"`, info.Size(), info.ModTime().UnixNano())
}
