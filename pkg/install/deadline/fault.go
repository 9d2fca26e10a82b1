//go:build linux && faults

package deadline

import (
	"os"
	"strconv"
	"time"
)

func init() {
	if n, err := strconv.Atoi(os.Getenv(LimitVariable)); err == nil && n > 0 {
		Limit = time.Duration(n) * time.Millisecond
	}
}
