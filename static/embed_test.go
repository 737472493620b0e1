package static

import (
	"bytes"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"
)

// reference finds what a page loads: absolute paths on its own server.
var reference = regexp.MustCompile(`(?:href|src)="/([^"#?]+)[^"]*"`)

func TestPagesReferToFilesThatAreThere(t *testing.T) {
	t.Parallel()
	pages, err := fs.Glob(Files(), "*.html")
	if err != nil || len(pages) == 0 {
		t.Fatalf("Glob(*.html) = %v, %v, want some pages", pages, err)
	}
	for _, page := range pages {
		text, err := fs.ReadFile(Files(), page)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range reference.FindAllSubmatch(text, -1) {
			if _, err := fs.Stat(Files(), string(match[1])); err != nil {
				t.Errorf("%s refers to /%s: %v", page, match[1], err)
			}
		}
	}
}

func TestPagesNeedNoOtherHostAndNoInlineCode(t *testing.T) {
	t.Parallel()
	forbidden := [][]byte{
		[]byte("http://"), []byte("https://"), []byte("<style"), []byte(" style="),
		[]byte("<script>"), []byte(" onclick="),
	}
	pages, err := fs.Glob(Files(), "*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		text, err := fs.ReadFile(Files(), page)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range forbidden {
			if bytes.Contains(text, word) {
				t.Errorf("%s contains %q", page, word)
			}
		}
	}
}

func TestThirdPartyFilesCarryTheirLicence(t *testing.T) {
	t.Parallel()
	err := fs.WalkDir(Files(), "third-party", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, "LICENSE") {
			return err
		}
		_, err = fs.Stat(Files(), path.Join(path.Dir(name), "LICENSE"))
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
