package main

import (
	"context"
	"flag"
	"maps"
)

// prepare returns the path of an object, and the fields of it that a command's flags and standard input set.
type prepare func(*environment) (path string, changes object, err error)

// withTemplate returns path, and the template from standard input with options in place of its fields.
func (e *environment) withTemplate(path string, wanted bool, options object) (string, object, error) {
	template, err := e.readTemplate(wanted)
	if err != nil {
		return "", nil, err
	}
	changes := object{}
	maps.Copy(changes, template)
	maps.Copy(changes, options)
	return path, changes, nil
}

// create is a command that makes an object, of defaults and what prepare has in their place. conflict is what it says if there is one.
func (e *environment) create(ctx context.Context, set *flag.FlagSet, args []string, prepare prepare, defaults object, conflict string) int {
	return e.do(set, args, 0, func() error {
		path, changes, err := prepare(e)
		if err != nil {
			return err
		}
		made := maps.Clone(defaults)
		made.merge(changes)
		return e.connect(ctx, func(c *client) error { return c.create(ctx, path, made, conflict) })
	})
}

// update is a command that changes fields of an object. options names the flags of which it takes one.
func (e *environment) update(ctx context.Context, set *flag.FlagSet, args []string, prepare prepare, options string) int {
	return e.do(set, args, 0, func() error {
		path, changes, err := prepare(e)
		if err != nil {
			return err
		}
		if len(changes) == 0 {
			return usageError("nothing is to be changed: give " + options)
		}
		return e.connect(ctx, func(c *client) error {
			return c.update(ctx, path, func(o object) error {
				o.merge(changes)
				return nil
			})
		})
	})
}

// delete is a command that deletes what path leads to.
func (e *environment) delete(ctx context.Context, set *flag.FlagSet, args []string, o *objectFlags, path func() (string, error)) int {
	return e.do(set, args, 0, func() error {
		path, err := path()
		if err != nil {
			return err
		}
		return e.connect(ctx, func(c *client) error { return c.delete(ctx, path, o.ifMatch) })
	})
}
