// Package static carries the web client: the pages, their scripts, styles, words and
// pictures, as they are in this folder. There is no build step between the two.
package static

import (
	"embed"
	"io/fs"
)

//go:embed *.html favicon.svg css js i18n
//go:embed third-party/lucide/icons.svg third-party/lucide/LICENSE
var files embed.FS

// Files returns the files of the web client, read-only, under the paths at which the
// server serves them ("index.html", "js/main-group.js"). Any goroutine may use it.
func Files() fs.FS {
	return files
}
