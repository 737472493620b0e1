//go:build linux || darwin || freebsd || netbsd

package config

import (
	"io/fs"
	"syscall"
	"time"
)

// owner returns the ids of a file's owner and group.
func owner(info fs.FileInfo) (uid, gid int) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid), int(stat.Gid)
	}
	return 0, 0
}

// changeTime is when anything about a file has changed, which unlike the time
// of modification cannot be set.
func changeTime(info fs.FileInfo) time.Time {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(ctime(stat).Unix())
	}
	return time.Time{}
}
