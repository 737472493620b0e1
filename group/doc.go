// Package group holds rooms as policy: their definitions on disk, who may join,
// the members and what they may do, locks, chat history, data, and the
// catalogue of published streams.
//
// A [Registry] holds the groups of one server. Joining gives a [Member], the
// handle through which a session acts; what happens in the group reaches the
// session as an [Event] in its mailbox. Nothing here knows how members are
// connected or how media travels.
//
// # Authorisation
//
// [Registry.Join] and [Registry.Authenticate] find out who somebody is, by a
// password, a stateful token or a JSON Web Token, and give a value that never
// changes in place. Passwords are computed outside of all locks, a bounded
// number at a time, and given up with their context or after a while. Refusals
// take the same computations for every username, and who fails too often is not
// looked at. A member makes tokens within what it may do itself, in its own
// group; the word "system" is a permission that nobody can be given.
//
// # Ownership
//
// Everything may be called from any goroutine. Registry.mu is taken before
// Group.mu, and no lock is held while anything is called: passwords are
// checked and files are read before a lock is taken, and members are told by
// posting to their mailboxes, which are data. Posting happens under Group.mu,
// so that all members see one order of events; a member's first event is
// [Joined], with a snapshot of the group at that point of the order, and
// nothing is posted to it after it has left.
//
// The files are read by the registry's library, once per change and for all
// groups; whoever asks looks whether its file has changed. [Registry.Run] looks
// by itself when the system tells of changes, or every second. It is the one
// goroutine here. One lock, which nothing else is held with, lets changes of
// files that are made through the registry happen one after the other.
//
// Descriptions, events, streams and data are immutable once made, and shared.
// A group is in memory once somebody has joined it, or if it is public, so that
// asking for groups does not fill memory.
package group
