// Package token holds what lets people in without a password: stateful tokens,
// which the server makes and keeps in a file, and JSON Web Tokens, which somebody
// else signs with a key that a group's definition trusts.
//
// It knows what a token says and whether it is genuine. Whom a group admits,
// and who may make which token, is for others to decide.
//
// # The file of tokens
//
// [Store] keeps one JSON object a line. A new token is appended and synced; any
// other change writes the whole file anew beside the old one, syncs it and
// renames it over. What was acknowledged is therefore on the disk, and a crash
// leaves at most one torn line or one temporary file behind, which the next
// start survives or removes. Whoever edits the file by hand is heeded: it is
// looked at before each operation. A line that cannot be understood is reported
// by its number and put aside, never thrown away.
//
// The name of a token is the secret. It stands in the file, which only its
// owner can read, because the file is shared with other programs and because
// operators hand out links made from it; no log and no error of this package
// contains one. [Token.LogID] tells tokens apart there.
//
// # JSON Web Tokens
//
// A signature is checked with the keys of one group only, so a JSON Web Token
// never says anything about the server as a whole. Its issuer is trusted with
// that group: it may name any user, even one who has a password there, and give
// any permission, to administer the group included.
//
// # Ownership
//
// A Store may be used from any goroutine; there must be one per file. Tokens
// that it returns belong to the caller. Keys are immutable.
//
// # Specifications
//
//   - RFC 7515, JSON Web Signature, with RFC 7518 and RFC 8037 for algorithms
//   - RFC 7517, JSON Web Key
//   - RFC 7519, JSON Web Token
package token
