//go:build !linux

package main

import (
	"context"
	"errors"
	"fmt"
)

// errOther is returned on systems whose kernels are not asked for their limit.
var errOther = fmt.Errorf("the limit can be measured on Linux only: %w", errors.ErrUnsupported)

func sendLimit(limitOptions, func(string)) (limitCounts, error) { return limitCounts{}, errOther }

func drain(context.Context, drainOptions, func(ports []int)) (drainCounts, error) {
	return drainCounts{}, errOther
}
