package webserver

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"

	"galene/config"
	"galene/group"
	"galene/password"
	"galene/token"
)

// call is one request to the API.
type call struct {
	*Server
	target
	w http.ResponseWriter
	r *http.Request

	endpoint *endpoint        // nil if there is none, which only administrators are told
	who      *group.Principal // once they are authenticated
	found    resource         // what the endpoint has found
	expected string           // the entity tag that a change has to find
	body     []byte           // of the request
}

// requestError is an error that is the client's fault.
type requestError struct {
	status int
	text   string
}

func (e *requestError) Error() string { return e.text }

// badRequest is the error for a body that cannot be used because of err.
func badRequest(err error) error { return &requestError{http.StatusBadRequest, err.Error()} }

// serveAPI serves the administration of the server and its groups. Questions
// are asked in this order: where the request comes from, who makes it, what it
// is about, what shall be done, whether that may be changed, preconditions, the
// body.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	c := &call{Server: s, w: w, r: r}
	if len(r.URL.Path) >= len(apiPrefix) && r.URL.Path[:len(apiPrefix)] == apiPrefix {
		c.target = parseTarget(r.URL.Path[len(apiPrefix):])
	}
	c.endpoint = s.api[c.shape]
	if c.endpoint == nil && !c.inGroups() {
		http.NotFound(w, r)
		return
	}
	if !c.crossOrigin() || !c.authenticate(r.Context()) {
		return
	}
	if c.endpoint == nil {
		http.NotFound(w, r)
		return
	}
	m, err := c.prepare()
	if err == nil {
		err = m.run(c)
	}
	switch {
	case err != nil:
		c.fail(err)
	case !isSafe(r.Method):
		c.audit()
	}
}

// isSafe reports whether a method changes nothing.
func isSafe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// crossOrigin lets pages of allowed origins use the API, and answers what asks
// whether they may. It reports whether the request may go on. A browser adds
// passwords that it remembers to the requests of every page, so that they do
// not count for changes that a foreign page asks for.
func (c *call) crossOrigin() bool {
	const exposed = "ETag, Location"
	header, origin, site := c.w.Header(), c.r.Header.Get("Origin"), c.site()
	header.Add("Vary", "Origin")
	allowed := site.administers(c.r)
	if allowed && origin != "" {
		header.Set("Access-Control-Allow-Origin", origin)
		header.Set("Access-Control-Expose-Headers", exposed)
	}
	switch {
	case c.r.Method == http.MethodOptions && c.endpoint == nil:
		http.NotFound(c.w, c.r)
	case c.r.Method == http.MethodOptions:
		header.Set("Allow", c.endpoint.allow())
		header.Set("Access-Control-Allow-Methods", c.endpoint.allow())
		header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match, If-None-Match")
	case !allowed && !isSafe(c.r.Method) && bearerToken(c.r.Header) == "":
		http.Error(c.w, "this origin is not allowed", http.StatusForbidden)
	default:
		return true
	}
	return false
}

// authenticate finds out who makes the request, and whether they may use the
// endpoint. It replies if not.
func (c *call) authenticate(ctx context.Context) bool {
	who, err := c.registry.Authenticate(ctx, c.group, credentialsOf(c.r))
	if err == nil && !c.permits(who) {
		c.log.Info("administration refused", "group", c.group, "username", who.Username, "address", c.r.RemoteAddr)
		err = group.ErrUnauthorised
	}
	if err == nil {
		c.who = who
		return true
	}
	if !refuse(c.w, err, `basic realm="`+apiRealm+`"`, `Bearer realm="`+apiRealm+`"`) {
		c.fail(err)
	}
	return false
}

func (c *call) permits(who *group.Principal) bool {
	if who.ServerAdmin || c.group != "" && who.Permissions.Has(group.PermissionAdmin) {
		return true
	}
	return c.endpoint != nil && c.endpoint.rule == selfService &&
		who.OwnPassword && who.Group == c.group && who.Username == c.user
}

// prepare finds the object that the request is about, and checks everything
// that can be checked without knowing what it is.
func (c *call) prepare() (*method, error) {
	var err error
	if c.found, err = c.endpoint.find(c); err != nil {
		return nil, err
	}
	m := c.endpoint.method(c.r.Method)
	switch {
	case m == nil:
		c.w.Header().Set("Allow", c.endpoint.allow())
		return nil, &requestError{http.StatusMethodNotAllowed, "method not allowed"}
	case !isSafe(c.r.Method) && !c.settings().WritableGroups:
		return nil, group.ErrNotWritable
	case !c.found.exists && (isSafe(c.r.Method) || c.r.Method == http.MethodDelete):
		return nil, group.ErrNotFound
	}
	c.expected = group.AnyTag
	if m.conditional {
		if status := c.found.status(c.r); status != 0 {
			return nil, &requestError{status, "precondition failed"}
		}
		c.expected = c.found.expected(c.r.Header)
	}
	return m, c.readBody(m.mediaType)
}

// readBody reads the body, which has to be of that type; none is expected if it
// is empty.
func (c *call) readBody(mediaType string) error {
	if mediaType == "" {
		return nil
	}
	got, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || got != mediaType {
		c.w.Header().Set("Accept", mediaType)
		return &requestError{http.StatusUnsupportedMediaType, "the body has to be " + mediaType}
	}
	c.body, err = io.ReadAll(c.r.Body)
	return err
}

// reply sends what was found.
func (c *call) reply() error {
	c.setTag()
	c.writeJSON(c.w, c.found.value)
	return nil
}

func (c *call) setTag() {
	if c.found.tag != "" {
		c.w.Header().Set("ETag", c.found.tag)
	}
}

// done replies that a change was made.
func (c *call) done(created bool) error {
	if created {
		c.w.WriteHeader(http.StatusCreated)
	} else {
		c.w.WriteHeader(http.StatusNoContent)
	}
	return nil
}

// audit logs the change that was made. Tokens are secrets, and so are bodies.
func (c *call) audit() {
	attributes := []any{"method", c.r.Method, "object", c.endpoint.path}
	if c.group != "" {
		attributes = append(attributes, "group", c.group)
	}
	if c.user != "" {
		attributes = append(attributes, "user", c.user)
	}
	if c.token != "" {
		attributes = append(attributes, "token", (&token.Token{Token: c.token}).LogID())
	}
	attributes = append(attributes, "by", c.who.Username, "serverAdmin", c.who.ServerAdmin, "address", c.r.RemoteAddr)
	if c.who.Token != nil {
		attributes = append(attributes, "byToken", c.who.Token.LogID())
	}
	c.log.Info("administration", attributes...)
}

// fail replies with an error. It is the only place where errors of the API
// become HTTP statuses.
func (c *call) fail(err error) {
	status, text := c.explain(err)
	switch status {
	case http.StatusNotModified:
		c.setTag()
		c.w.WriteHeader(status)
		return
	case http.StatusInternalServerError:
		c.log.Error("cannot administer", "object", c.shape, "group", c.group, "error", err)
	}
	http.Error(c.w, text, status)
}

func (c *call) explain(err error) (status int, text string) {
	if e, ok := errors.AsType[*requestError](err); ok {
		return e.status, e.text
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge, "the body is too large"
	}
	if e, ok := errors.AsType[*config.FileError](err); ok && !errors.Is(err, group.ErrInvalidDefinition) {
		return http.StatusInternalServerError, "the group's definition cannot be read: " + e.Error()
	}
	if errors.Is(err, group.ErrInvalidName) && c.r.Method != http.MethodPut {
		return http.StatusNotFound, "not found"
	}
	for _, reason := range []struct {
		err    error
		status int
		text   string // that of the error if empty
	}{
		{group.ErrNotFound, http.StatusNotFound, "not found"},
		{group.ErrUnknownUser, http.StatusNotFound, "not found"},
		{token.ErrNotExist, http.StatusNotFound, "not found"},
		{group.ErrInvalidDefinition, http.StatusBadRequest, ""},
		{group.ErrInvalidName, http.StatusBadRequest, ""},
		{group.ErrInvalidUsername, http.StatusBadRequest, ""},
		{token.ErrInvalid, http.StatusBadRequest, ""},
		{group.ErrNotWritable, http.StatusForbidden, "the configuration does not allow changes (writableGroups)"},
		{group.ErrNotPermitted, http.StatusForbidden, "this is for the server's administrator to do"},
		{group.ErrTagMismatch, c.conflict(), "somebody else has changed it"},
		{token.ErrTagMismatch, c.conflict(), "somebody else has changed it"},
		{token.ErrOtherGroup, http.StatusConflict, "there is such a token of another group"},
		{token.ErrFull, http.StatusConflict, "there are too many tokens"},
		{password.ErrBusy, http.StatusServiceUnavailable, "the server has too much to do"},
		{context.Canceled, http.StatusRequestTimeout, "the request was given up"},
		{os.ErrDeadlineExceeded, http.StatusRequestTimeout, "the body takes too long"},
		{io.ErrUnexpectedEOF, http.StatusBadRequest, "the body is cut short"},
	} {
		if errors.Is(err, reason.err) {
			if reason.text == "" {
				reason.text = err.Error()
			}
			return reason.status, reason.text
		}
	}
	return http.StatusInternalServerError, "internal server error"
}

// conflict is the status when an object was changed at the same time.
func (c *call) conflict() int {
	if isConditional(c.r.Header) {
		return http.StatusPreconditionFailed
	}
	return http.StatusConflict
}
