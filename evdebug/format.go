package evdebug

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
)

// duration formats d with three digits, which are easy to compare.
func duration(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d < time.Microsecond:
		return strconv.FormatInt(int64(d), 10) + " ns"
	case d < time.Millisecond:
		return digits(float64(d)/1e3) + " µs"
	case d < time.Second:
		return digits(float64(d)/1e6) + " ms"
	case d < time.Minute:
		return digits(d.Seconds()) + " s"
	}
	return d.Round(time.Second).String()
}

func digits(v float64) string {
	switch {
	case v >= 99.95:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// count formats a number with its thousands separated.
func count[T int | uint64](n T) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u202f" + s[i:] // a narrow no-break space
	}
	return s
}

// rate formats a number per second.
func rate(v float64) string {
	if v == 0 || v >= 9.95 {
		return count(uint64(v + 0.5))
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}

func percent(share float64) string {
	return strconv.FormatFloat(100*share, 'f', 1, 64) + " %"
}

// place shortens a position to "server/ledger.go:73", or to the method "server.(*ledger).tick".
func place(position string) string {
	dir, file := path.Split(strings.ReplaceAll(position, `\`, "/"))
	if strings.Contains(file, ".go:") {
		return path.Join(path.Base(dir), file)
	}
	return file
}
