package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
)

// listGroups prints the names of the groups.
func listGroups(ctx context.Context, e *environment, args []string) int {
	set := e.newFlagSet("list-groups")
	return e.do(set, args, -1, func() error {
		if _, err := selected(nil, set.Args()); err != nil {
			return err
		}
		return e.connect(ctx, func(c *client) error {
			var names []string
			if _, err := c.get(ctx, "/.groups/", &names); err != nil {
				return err
			}
			return e.printNames(names, set.Args())
		})
	})
}

// printNames prints those of the names that match the patterns, one a line.
func (e *environment) printNames(names, patterns []string) error {
	names, err := selected(names, patterns)
	if err != nil {
		return err
	}
	var lines bytes.Buffer
	for _, name := range names {
		lines.WriteString(printable(name) + "\n")
	}
	_, err = e.stdout.Write(lines.Bytes())
	return err
}

// showGroup prints a definition.
func showGroup(ctx context.Context, e *environment, args []string) int {
	set := e.newFlagSet("show-group")
	var o objectFlags
	o.declareGroup(set)
	justTag := set.Bool("etag", false, "print the definition's entity tag instead, for -if-match")
	return e.do(set, args, 0, func() error {
		path, err := o.groupPath()
		if err != nil {
			return err
		}
		return e.connect(ctx, func(c *client) error {
			var definition json.RawMessage
			tag, err := c.get(ctx, path, &definition)
			if err != nil {
				return err
			}
			if *justTag {
				_, err = fmt.Fprintln(e.stdout, printable(tag))
				return err
			}
			var text bytes.Buffer
			if err := json.Indent(&text, bytes.TrimSpace(definition), "", "    "); err != nil {
				return err
			}
			_, err = fmt.Fprintln(e.stdout, text.String())
			return err
		})
	})
}

// groupFlags are those that make up a definition.
type groupFlags struct {
	objectFlags
	unrestrictedTokens, autoSubgroups, json bool
}

func (f *groupFlags) declare(set *flag.FlagSet) {
	f.declareGroup(set)
	set.BoolVar(&f.unrestrictedTokens, "unrestricted-tokens", false, "who may present may also make tokens")
	set.BoolVar(&f.autoSubgroups, "auto-subgroups", false, "every name below this group's is a group like it")
	set.BoolVar(&f.json, "json", false, "read fields of the definition from standard input, as a JSON object")
}

// options are the fields that flags set.
func (f *groupFlags) options() (object, error) {
	options := object{}
	for name, value := range map[string]bool{
		"unrestricted-tokens": f.unrestrictedTokens,
		"auto-subgroups":      f.autoSubgroups,
	} {
		if given(f.set, name) {
			if err := options.set(name, value); err != nil {
				return nil, err
			}
		}
	}
	return options, nil
}

// prepare returns the group's path and the fields to change.
func (f *groupFlags) prepare(e *environment) (path string, changes object, err error) {
	if path, err = f.groupPath(); err != nil {
		return "", nil, err
	}
	options, err := f.options()
	if err != nil {
		return "", nil, err
	}
	return e.withTemplate(path, f.json, options)
}

// createGroup makes a group that does not exist.
func createGroup(ctx context.Context, e *environment, args []string) int {
	set := e.newFlagSet("create-group")
	var f groupFlags
	f.declare(set)
	return e.create(ctx, set, args, f.prepare, object{}, "there is such a group: change it with update-group")
}

// updateGroup changes a definition.
func updateGroup(ctx context.Context, e *environment, args []string) int {
	set := e.newFlagSet("update-group")
	var f groupFlags
	f.declare(set)
	return e.update(ctx, set, args, f.prepare, "-json, -unrestricted-tokens or -auto-subgroups")
}

// deleteGroup removes a definition.
func deleteGroup(ctx context.Context, e *environment, args []string) int {
	set := e.newFlagSet("delete-group")
	var o objectFlags
	o.declareGroup(set)
	o.declareIfMatch(set)
	return e.delete(ctx, set, args, &o, o.groupPath)
}
