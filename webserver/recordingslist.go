package webserver

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// recordingList is what the page of a group's recordings shows.
type recordingList struct {
	Prefix string // of absolute paths
	Group  string
	Files  []recordingEntry
}

// recordingEntry is one file.
type recordingEntry struct {
	Name, Link, Size string
}

// newRecordingsPage parses the page of a group's recordings. It is readable as it
// is; its script puts the words of another language in.
func newRecordingsPage() *template.Template {
	return template.Must(template.New("recordings").Parse(`<!doctype html>
<html lang="en" dir="ltr">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title data-key="recordings.of" data-name="{{.Group}}">Recordings of {{.Group}}</title>
    <link rel="icon" href="{{.Prefix}}/favicon.svg" type="image/svg+xml">
    <link rel="stylesheet" href="{{.Prefix}}/css/tokens.css">
    <link rel="stylesheet" href="{{.Prefix}}/css/base.css">
    <link rel="stylesheet" href="{{.Prefix}}/css/layout.css">
    <link rel="stylesheet" href="{{.Prefix}}/css/controls.css">
    <link rel="stylesheet" href="{{.Prefix}}/css/stats.css">
    <script src="{{.Prefix}}/js/theme.js"></script>
    <script type="module" src="{{.Prefix}}/js/main-recordings.js"></script>
  </head>
  <body>
    <main class="stats">
      <h1 data-key="recordings.of" data-name="{{.Group}}">Recordings of {{.Group}}</h1>
      {{if .Files}}<div class="stats-table" role="group" tabindex="0" aria-label="{{.Group}}">
        <table>
          <thead>
            <tr>
              <th scope="col" data-key="recordings.name">Name</th>
              <th scope="col" data-key="recordings.size">Size</th>
              <th scope="col" data-key="recordings.action">Action</th>
            </tr>
          </thead>
          <tbody>
            {{range .Files}}<tr>
              <th scope="row"><a href="{{.Link}}"><bdi>{{.Name}}</bdi></a></th>
              <td>{{.Size}}</td>
              <td>
                <form method="post" action="./">
                  <input type="hidden" name="q" value="delete">
                  <input type="hidden" name="filename" value="{{.Name}}">
                  <button class="button" type="submit" aria-label="Delete {{.Name}}"
                    data-label="recordings.delete.name" data-key="recordings.delete" data-name="{{.Name}}">Delete</button>
                </form>
              </td>
            </tr>
            {{end}}
          </tbody>
        </table>
      </div>{{else}}<p data-key="recordings.none">There are no recordings.</p>{{end}}
    </main>
  </body>
</html>
`))
}

// listRecordings replies with the page of a group's recordings.
func (s *Server) listRecordings(w http.ResponseWriter, r *http.Request, tree *files, name string) {
	entries, err := fs.ReadDir(tree.root, name)
	if err != nil {
		s.finish(w, r, tree.explain(name, err))
		return
	}
	list := recordingList{Prefix: s.site().prefix(), Group: name}
	for _, entry := range entries { // sorted
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		// The dot keeps a colon in the name from looking like a scheme.
		link := "./" + url.PathEscape(entry.Name())
		list.Files = append(list.Files, recordingEntry{entry.Name(), link, formatSize(info.Size())})
	}
	var page bytes.Buffer
	if err := s.recordingsPage.Execute(&page, list); err != nil {
		s.log.Error("cannot make the page of recordings", "error", err)
		http.Error(w, "internal server error", http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", contentTypes[".html"])
	header.Set("Content-Length", strconv.Itoa(page.Len()))
	header.Set("Content-Security-Policy", recordingsPolicy)
	header.Set("Cache-Control", "no-cache")
	// Without a referrer the form's origin would be withheld too.
	header.Set("Referrer-Policy", "same-origin")
	_, _ = w.Write(page.Bytes()) // the client has gone if it fails
}

// formatSize writes a number of bytes for people.
func formatSize(bytes int64) string {
	const step = 1000
	if bytes < step {
		return fmt.Sprintf("%d B", bytes)
	}
	value, unit := float64(bytes)/step, 0
	units := []string{"kB", "MB", "GB", "TB"}
	for value >= step && unit < len(units)-1 {
		value /= step
		unit++
	}
	return fmt.Sprintf("%.1f %s", value, units[unit])
}
