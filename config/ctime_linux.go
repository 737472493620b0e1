package config

import "syscall"

// ctime is the field of that name (stat(2)), which systems spell differently.
func ctime(stat *syscall.Stat_t) *syscall.Timespec { return &stat.Ctim }
