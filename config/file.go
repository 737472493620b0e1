package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"
)

// MaxFileBytes bounds a file of configuration or of a group's definition.
const MaxFileBytes = 4 << 20

// settleTime is how long after its modification a file is read again even
// though nothing seems to have changed: two writes of one size within the
// clock of the file system look the same. Where that clock seems to count in
// whole seconds, it is coarseSettleTime.
const (
	settleTime       = 50 * time.Millisecond
	coarseSettleTime = 2100 * time.Millisecond
)

// FileError says what is wrong with a file of configuration, and where.
type FileError struct {
	File  string // as it is named to the administrator
	Line  int    // from 1; 0 if the file as a whole is meant
	Field string // path of the field at fault, such as "users.bob.password"; may be empty
	Err   error
}

// Error returns "file:line: what".
func (e *FileError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
}

// Unwrap returns the error without its place.
func (e *FileError) Unwrap() error { return e.Err }

// Tag tells versions of a file apart. The zero value is the tag of no file.
type Tag struct {
	info fs.FileInfo
	read time.Time
}

// Same reports whether the file that info describes is still the one that was
// read: same size, times of modification and change, and identity (inode), and
// old enough when it was read that a later write shows in them.
func (t Tag) Same(info fs.FileInfo) bool {
	return t.info != nil && info != nil &&
		t.info.Size() == info.Size() && t.info.ModTime().Equal(info.ModTime()) &&
		changeTime(t.info).Equal(changeTime(info)) && os.SameFile(t.info, info) &&
		t.settled()
}

// settled reports whether the file was old enough when it was read.
func (t Tag) settled() bool {
	latest := t.info.ModTime()
	if changed := changeTime(t.info); changed.After(latest) {
		latest = changed
	}
	enough := settleTime
	if latest.Nanosecond() == 0 {
		enough = coarseSettleTime
	}
	return t.read.Sub(latest).Abs() > enough
}

// Size is the file's length in bytes.
func (t Tag) Size() int64 {
	if t.info == nil {
		return 0
	}
	return t.info.Size()
}

// ModTime is when the file was modified.
func (t Tag) ModTime() time.Time {
	if t.info == nil {
		return time.Time{}
	}
	return t.info.ModTime()
}

// Read returns the contents of the file at path, and its tag. Symbolic links are
// followed wherever they lead, since only the administrator can have made them;
// what they resolve to is then read without following any more. The caller
// answers for path itself: names from outside must not climb out of where they
// belong.
//
// It refuses what is not a regular file, which could block, and what is too
// large. A link to nowhere is a file that does not exist.
func Read(path string) ([]byte, Tag, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, Tag{}, err
	}
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, Tag{}, err
	}
	defer root.Close()
	return readIn(root, filepath.Base(path))
}

// readIn is Read for the file called name in root.
func readIn(root *os.Root, name string) ([]byte, Tag, error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, Tag{}, err
	}
	if !info.Mode().IsRegular() {
		return nil, Tag{}, errors.New("not a regular file")
	}
	file, err := root.Open(name)
	if err != nil {
		return nil, Tag{}, err
	}
	defer file.Close()

	read := time.Now()
	if info, err = file.Stat(); err != nil {
		return nil, Tag{}, err
	}
	data, err := io.ReadAll(io.LimitReader(file, MaxFileBytes+1))
	if err != nil {
		return nil, Tag{}, err
	}
	if len(data) > MaxFileBytes {
		return nil, Tag{}, fmt.Errorf("larger than %d bytes", MaxFileBytes)
	}
	return data, Tag{info: info, read: read}, nil
}

// Decode reads the JSON object at the start of data into v, a pointer to a
// struct. Fields that v does not have are errors, at any depth; names are
// compared exactly. What follows the object is ignored. The error is a
// [*FileError] for file, which names the first mistake.
func Decode(file string, data []byte, v any) error {
	c := checker{file: file, data: data}
	decoder := json.NewDecoder(bytes.NewReader(data))
	var object json.RawMessage
	if err := decoder.Decode(&object); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("no JSON object")
		}
		return c.fail(syntaxOffset(err, len(data)), "", err)
	}
	start := int(decoder.InputOffset()) - len(object)
	if object[0] != '{' {
		return c.fail(start, "", errors.New("not a JSON object"))
	}
	if err := c.value(object, start, reflect.TypeOf(v).Elem(), ""); err != nil {
		return err
	}
	if err := json.Unmarshal(object, v); err != nil {
		return c.fail(start, "", err)
	}
	return nil
}

// checker compares a JSON text with the Go type it is meant for.
type checker struct {
	file string
	data []byte
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// value checks raw, which starts at offset in the file, against t.
func (c *checker) value(raw []byte, offset int, t reflect.Type, path string) error {
	for t.Kind() == reflect.Pointer && !t.Implements(unmarshaler) && !bytes.Equal(raw, []byte("null")) {
		t = t.Elem()
	}
	own := t.Implements(unmarshaler) || reflect.PointerTo(t).Implements(unmarshaler)
	switch {
	case own:
	case t.Kind() == reflect.Struct && raw[0] == '{':
		fields := jsonFields(t)
		return c.elements(raw, offset, path, func(name string) reflect.Type { return fields[name] })
	case t.Kind() == reflect.Map && raw[0] == '{',
		t.Kind() == reflect.Slice && raw[0] == '[':
		return c.elements(raw, offset, path, func(string) reflect.Type { return t.Elem() })
	}

	if err := json.Unmarshal(raw, reflect.New(t).Interface()); err != nil {
		if bad, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			err = fmt.Errorf("a JSON %s cannot be here", bad.Value)
		}
		return c.fail(offset, path, err)
	}
	return nil
}

// elements checks the values of an object or array; typeOf gives the type of a
// member by its name, nil if there must be none.
func (c *checker) elements(raw []byte, offset int, path string, typeOf func(string) reflect.Type) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	opening, err := decoder.Token()
	if err != nil {
		return c.fail(offset, path, err)
	}
	for index := 0; decoder.More(); index++ {
		name := fmt.Sprint(index)
		if opening == json.Delim('{') {
			key, err := decoder.Token()
			if err != nil {
				return c.fail(offset, path, err)
			}
			name = fmt.Sprint(key)
		}
		inner := strings.TrimPrefix(path+"."+name, ".")
		t := typeOf(name)
		if t == nil {
			at := offset + int(decoder.InputOffset())
			return &FileError{c.file, c.line(at), inner, fmt.Errorf("unknown field %q", inner)}
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return c.fail(offset, inner, err)
		}
		start := offset + int(decoder.InputOffset()) - len(value)
		if err := c.value(value, start, t, inner); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) fail(offset int, field string, err error) error {
	if field != "" {
		err = fmt.Errorf("field %q: %w", field, err)
	}
	return &FileError{c.file, c.line(offset), field, err}
}

// line is the number of the line that holds the byte at offset.
func (c *checker) line(offset int) int {
	return 1 + bytes.Count(c.data[:min(max(offset, 0), len(c.data))], []byte{'\n'})
}

// syntaxOffset is where err was found; the end if it does not say.
func syntaxOffset(err error, end int) int {
	if bad, ok := errors.AsType[*json.SyntaxError](err); ok {
		return int(bad.Offset) - 1
	}
	return end
}

// jsonFields returns the types of a struct's fields, and of the structs that it
// embeds, by their names in JSON.
func jsonFields(t reflect.Type) map[string]reflect.Type {
	fields := make(map[string]reflect.Type, t.NumField())
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Anonymous {
			maps.Copy(fields, jsonFields(field.Type))
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.IsExported() && name != "" && name != "-" {
			fields[name] = field.Type
		}
	}
	return fields
}
