package webserver

import (
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"time"

	"galene/group"
)

const (
	recordingsPrefix = "/recordings/"
	// recordingsPolicy is for pages that need nothing but the client's style and
	// words, and a form.
	recordingsPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; " +
		"img-src 'self'; media-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
	recordingsCacheControl = "private, no-cache"
	// progressTimeout is how long a client may take for one piece of a
	// recording, which as a whole may take hours.
	progressTimeout = time.Minute
)

// splitRecording takes the path of a recording, or of a group's folder, below
// recordingsPrefix apart. slash asks for a final slash. What has a dot in its
// last part is taken for a file, so that nobody can find out from redirections
// what there is.
func splitRecording(name string) (group, file string, slash bool) {
	if folder, ok := strings.CutSuffix(name, "/"); ok {
		return folder, "", false
	}
	folder, file := path.Split(name)
	if folder == "" || path.Ext(file) == "" {
		return name, "", true
	}
	return strings.TrimSuffix(folder, "/"), file, false
}

// serveRecordingsRoot adds the slash.
func (s *Server) serveRecordingsRoot(w http.ResponseWriter, r *http.Request) {
	s.redirectPath(w, r, recordingsPrefix)
}

// serveRecordings serves the recordings of groups to those who may record there.
// Nobody else is told which there are.
func (s *Server) serveRecordings(w http.ResponseWriter, r *http.Request) {
	if s.redirectCanonical(w, r) {
		return
	}
	name, file, slash := splitRecording(strings.TrimPrefix(r.URL.Path, recordingsPrefix))
	switch {
	case r.URL.Path == recordingsPrefix:
		http.Error(w, "this needs the name of a group", http.StatusBadRequest)
	case s.recordings == "", !group.ValidName(name), strings.HasPrefix(name, "."), strings.Contains(name, "/."),
		strings.HasPrefix(file, "."):
		s.files.notFound(w)
	case slash:
		s.redirectPath(w, r, r.URL.Path+"/")
	default:
		if who := s.authenticateRecorder(w, r, name); who != nil {
			s.openRecordings(w, r, name, file, who)
		}
	}
}

// authenticateRecorder returns who may record in the group and makes the
// request. It replies if nobody does.
func (s *Server) authenticateRecorder(w http.ResponseWriter, r *http.Request, name string) *group.Principal {
	c := group.Credentials{Address: group.ParseAddress(r.RemoteAddr)}
	c.Username, c.Password = basicCredentials(r)
	who, err := s.registry.AuthenticateUser(r.Context(), name, c)
	if err == nil && !who.Permissions.Has(group.PermissionRecord) {
		s.log.Info("recordings refused", "group", name, "username", who.Username, "address", r.RemoteAddr)
		err = group.ErrUnauthorised
	}
	if err == nil {
		return who
	}
	realm := strings.ReplaceAll("recordings/"+name, `"`, `\"`) // there are no backslashes
	if !refuse(w, err, `basic realm="`+realm+`"`) {
		s.failGroup(w, name, err)
	}
	return nil
}

// openRecordings serves a file, or the folder of a group, to somebody who may
// see it.
func (s *Server) openRecordings(w http.ResponseWriter, r *http.Request, name, file string, who *group.Principal) {
	root, err := os.OpenRoot(s.recordings)
	if errors.Is(err, fs.ErrNotExist) {
		s.files.notFound(w)
		return
	}
	if err != nil {
		s.log.Error("cannot open the recordings", "error", err)
		http.Error(w, "internal server error", http.StatusInternalServerError)
		return
	}
	defer root.Close()
	tree := &files{root: root.FS(), log: s.log}
	switch {
	case file != "":
		if readOnly(w, r) {
			s.finish(w, r, serveRecording(w, r, tree, path.Join(name, file)))
		}
	case tree.find(name) != isFolder:
		s.files.notFound(w)
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		s.listRecordings(w, r, tree, name)
	case r.Method == http.MethodPost:
		s.deleteRecording(w, r, root, name, who)
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	}
}

// serveRecording replies with a file. What is no recording is not shown by the
// browser, since it could be a page.
func serveRecording(w http.ResponseWriter, r *http.Request, tree *files, name string) outcome {
	file, info, result := tree.openSeeker(name)
	if result != served {
		return result
	}
	defer func() { _ = file.Close() }()
	header := w.Header()
	header.Set("Content-Security-Policy", recordingsPolicy)
	header.Set("Cache-Control", recordingsCacheControl)
	header.Set("ETag", fileTag(info))
	setContentType(header, name)
	if kind := header.Get("Content-Type"); !strings.HasPrefix(kind, "video/") && !strings.HasPrefix(kind, "audio/") {
		header.Set("Content-Disposition", "attachment")
	}
	http.ServeContent(&steadyWriter{w}, r, name, info.ModTime(), file)
	return served
}

// steadyWriter gives the client time as long as it takes what is sent.
type steadyWriter struct{ http.ResponseWriter }

func (w *steadyWriter) Write(p []byte) (int, error) {
	// Where deadlines cannot be moved, the server's own one holds.
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(progressTimeout))
	return w.ResponseWriter.Write(p)
}

// parseForm reads a form in either of its encodings.
func parseForm(r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	err := r.ParseMultipartForm(maxRequestBody) //nolint:gosec // every request's body is bounded
	if errors.Is(err, http.ErrNotMultipart) {
		return nil
	}
	return err
}

// deleteRecording removes a file, as the form of the list asks for. Browsers
// add passwords to requests from any page, so that it has to be ours.
func (s *Server) deleteRecording(w http.ResponseWriter, r *http.Request, root *os.Root, name string, who *group.Principal) {
	if !s.site().sameOrigin(r) {
		http.Error(w, "this was not asked for by the page itself", http.StatusForbidden)
		return
	}
	if err := parseForm(r); err != nil {
		status := http.StatusBadRequest
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, "this form cannot be read", status)
		return
	}
	file := r.Form.Get("filename")
	if r.Form.Get("q") != "delete" || file == "" || strings.ContainsAny(file, `/\`) {
		http.Error(w, "this needs q=delete and the name of a file", http.StatusBadRequest)
		return
	}
	full := path.Join(name, file)
	info, err := root.Lstat(full)
	if err == nil && info.Mode().IsRegular() && !strings.HasPrefix(file, ".") {
		err = root.Remove(full)
	} else if err == nil {
		err = fs.ErrNotExist
	}
	if err != nil {
		s.finish(w, r, (&files{log: s.log}).explain(full, err))
		return
	}
	s.log.Info("recording deleted", "group", name, "file", file, "by", who.Username, "address", r.RemoteAddr)
	target := &url.URL{Path: s.site().prefix() + r.URL.Path}
	w.Header().Set("Location", target.String())
	w.WriteHeader(http.StatusSeeOther)
}
