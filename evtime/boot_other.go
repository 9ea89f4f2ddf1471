//go:build !linux

package evtime

import (
	"os"
	"time"
)

func sinceBoot() (time.Duration, error) { return 0, errNoBootTimer() }

func openBootTimer(time.Duration) (*os.File, error) { return nil, errNoBootTimer() }
