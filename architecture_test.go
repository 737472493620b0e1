package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// floors says on which floor of the house each package stands. A package may
// import only packages on lower floors; ARCHITECTURE.md says why each is where
// it is.
var floors = map[string]int{
	"rtptime":          0,
	"packetmap":        0,
	"nack":             0,
	"mailbox":          0,
	"password":         0,
	"srtp":             0,
	"netaddr":          0,
	"buildinfo":        0,
	"config":           1,
	"codecs":           1,
	"packetcache":      1,
	"jitter":           1,
	"estimator":        1,
	"udpsocket":        1,
	"token":            1,
	"pionlog":          1,
	"netlimit":         1,
	"transportcc":      1,
	"conn":             2,
	"layers":           2,
	"udpmux":           2,
	"tcpmux":           2,
	"turnserver":       2,
	"group":            3,
	"ice":              3,
	"rtpconn":          4,
	"signalling":       5,
	"metrics":          5,
	"loadtest":         5,
	"static":           5,
	"webserver":        6,
	".":                7,
	"galenectl":        7,
	"internal/depdesc": 8, // imported by tests only
	"internal/testkit": 8, // imported by tests only
	"internal/testlog": 8, // imported by tests only
	"internal/netsim":  8, // imported by tests only
	"internal/bench":   8, // a program
}

// onlyImporters lists packages that few may import.
var onlyImporters = map[string][]string{
	"static": {"."},
}

// sourcePackage is what one directory's non-test files say.
type sourcePackage struct {
	imports  map[string]string // imported package of this module to the importing file
	comments []string          // files that carry a package comment
}

func TestImportsPointDownwards(t *testing.T) {
	t.Parallel()
	for name, pkg := range sourcePackages(t) {
		floor, ok := floors[name]
		if !ok {
			t.Errorf("package %s has no floor: add it to the table and to ARCHITECTURE.md", name)
			continue
		}
		for imported, file := range pkg.imports {
			if below, ok := floors[imported]; ok && below >= floor {
				t.Errorf("%s (floor %d) imports %s (floor %d)", file, floor, imported, below)
			}
			if allowed, ok := onlyImporters[imported]; ok && !slices.Contains(allowed, name) {
				t.Errorf("%s imports %s, which only %v may", file, imported, allowed)
			}
		}
	}
}

func TestFloorsNameExistingPackages(t *testing.T) {
	t.Parallel()
	packages := sourcePackages(t)
	for name := range floors {
		if _, ok := packages[name]; !ok {
			t.Errorf("floors names package %s, which does not exist", name)
		}
	}
}

func TestEachPackageHasOneComment(t *testing.T) {
	t.Parallel()
	for name, pkg := range sourcePackages(t) {
		if len(pkg.comments) != 1 {
			slices.Sort(pkg.comments)
			t.Errorf("package %s has %d package comments, want 1: %v", name, len(pkg.comments), pkg.comments)
		}
	}
}

func TestArchitectureDocumentNamesEveryPackage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(floors)) {
		if name != "." && !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("ARCHITECTURE.md does not name package `%s`", name)
		}
	}
}

// sourcePackages reads every package of the module, keyed by its directory
// below the module's root; test files are left out.
func sourcePackages(t *testing.T) map[string]*sourcePackage {
	t.Helper()
	packages := make(map[string]*sourcePackage)
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && skipDirectory(entry.Name(), file):
			return filepath.SkipDir
		case entry.IsDir(), !strings.HasSuffix(file, ".go"), strings.HasSuffix(file, "_test.go"):
			return nil
		}
		return readSource(packages, file)
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) < 2 {
		t.Fatalf("found %d packages; is the test run at the module's root?", len(packages))
	}
	return packages
}

// skipDirectory tells whether a directory holds no package of this module.
func skipDirectory(name, file string) bool {
	hidden := strings.HasPrefix(name, ".") && name != "."
	return hidden || name == "node_modules" || name == "testdata" || file == "tools"
}

// readSource adds what one file says to its package.
func readSource(packages map[string]*sourcePackage, file string) error {
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return err
	}
	name := filepath.ToSlash(filepath.Dir(file))
	pkg := packages[name]
	if pkg == nil {
		pkg = &sourcePackage{imports: make(map[string]string)}
		packages[name] = pkg
	}
	if hasText(tree.Doc) {
		pkg.comments = append(pkg.comments, file)
	}
	for _, spec := range tree.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		if rest, ok := strings.CutPrefix(imported, "galene/"); ok {
			pkg.imports[path.Clean(rest)] = file
		}
	}
	return nil
}

// hasText tells whether a comment says anything besides directives.
func hasText(doc *ast.CommentGroup) bool {
	return doc != nil && strings.TrimSpace(doc.Text()) != ""
}
