package main

import (
	"flag"
	"fmt"
	"strings"

	"galene/group"
)

// apiPath is where the API is, below the server's base URL.
const apiPath = "/galene-api/v0"

// objectFlags say which object a command is about.
type objectFlags struct {
	set       *flag.FlagSet
	group     string
	user      string
	wildcard  bool
	token     string
	tokenFile string
	ifMatch   string
}

// declareGroup adds the flag that names the group.
func (o *objectFlags) declareGroup(set *flag.FlagSet) {
	o.set = set
	set.StringVar(&o.group, "group", "", "`name` of the group")
}

// declareUser adds the flags that name the user of a group.
func (o *objectFlags) declareUser(set *flag.FlagSet) {
	o.declareGroup(set)
	set.StringVar(&o.user, "user", "", "`name` of the user; '' is who gives no name")
	set.BoolVar(&o.wildcard, "wildcard", false, "the user that stands for all other names")
}

// declareTokens adds the flag that names a group or, by the empty name, the server.
func (o *objectFlags) declareTokens(set *flag.FlagSet) {
	o.set = set
	set.StringVar(&o.group, "group", "", "`name` of the group; '' is the whole server")
}

// declareToken adds the flags that name one token.
func (o *objectFlags) declareToken(set *flag.FlagSet) {
	o.declareTokens(set)
	set.StringVar(&o.token, "token", "", "the `token`, which other users of this machine may see")
	set.StringVar(&o.tokenFile, "token-file", "", "`file` with the token; - is standard input")
}

// declareIfMatch adds the flag for those who want to delete nothing but what they have seen.
func (o *objectFlags) declareIfMatch(set *flag.FlagSet) {
	set.StringVar(&o.ifMatch, "if-match", "", "do nothing unless this is the `tag` that show-group -etag prints")
}

// groupPath returns the path of the group.
func (o *objectFlags) groupPath() (string, error) {
	if o.group == "" {
		return "", usageError("-group is needed")
	}
	if !addressable(o.group) {
		return "", usageError(fmt.Sprintf("there can be no group called %q", o.group))
	}
	return "/.groups/" + o.group, nil
}

// userPath returns the path of the user.
func (o *objectFlags) userPath() (string, error) {
	path, err := o.groupPath()
	switch {
	case err != nil:
		return "", err
	case given(o.set, "user") == o.wildcard:
		return "", usageError("either -user or -wildcard is needed")
	case o.wildcard:
		return path + "/.wildcard-user", nil
	}
	return namedUser(path, o.user)
}

// namedUser returns the path of a user of the group whose path is given.
func namedUser(path, name string) (string, error) {
	if name == "" {
		return path + "/.empty-user", nil
	}
	if !addressable(name) {
		return "", usageError(fmt.Sprintf("there can be no user called %q", name))
	}
	return path + "/.users/" + name, nil
}

// tokensPath returns the path of the group's, or the server's, list of tokens.
func (o *objectFlags) tokensPath() (string, error) {
	if !given(o.set, "group") {
		return "", usageError("-group is needed; -group '' is the whole server")
	}
	if o.group == "" {
		return "/.groups/.tokens/", nil
	}
	path, err := o.groupPath()
	return path + "/.tokens/", err
}

// tokenPath returns the path of the token.
func (o *objectFlags) tokenPath(e *environment) (string, error) {
	path, err := o.tokensPath()
	if err != nil {
		return "", err
	}
	name, err := e.secret(o.token, o.tokenFile, "-token")
	switch {
	case err != nil:
		return "", err
	case name == "":
		return "", usageError("-token or -token-file is needed")
	case !addressable(name):
		return "", usageError("there can be no such token")
	}
	return path + name, nil
}

// addressable reports whether the API has a path for a name: a segment that starts with a dot would be taken for one of its words.
func addressable(name string) bool {
	return group.ValidName(name) && !strings.HasPrefix(name, ".") && !strings.Contains(name, "/.")
}
