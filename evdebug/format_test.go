package evdebug

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestDurationsHaveThreeDigits(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                        "0",
		999:                      "999 ns",
		1000:                     "1.00 µs",
		12_345:                   "12.3 µs",
		99_960:                   "100 µs",
		1_234_567:                "1.23 ms",
		51_200_000:               "51.2 ms",
		9_999 * time.Millisecond: "10.0 s",
		61 * time.Second:         "1m1s",
		49 * time.Hour:           "49h0m0s",
	} {
		assert.Equal(t, want, duration(d))
	}
}

func TestNumbersHaveTheirThousandsApart(t *testing.T) {
	for n, want := range map[int]string{
		0: "0", 999: "999", 1000: "1\u202f000", 1234567: "1\u202f234\u202f567", -100: "-100", -1000: "-1\u202f000",
	} {
		assert.Equal(t, want, count(n))
	}
	for v, want := range map[float64]string{0: "0", 0.04: "0.0", 0.25: "0.2", 9.94: "9.9", 9.96: "10", 1234.5: "1\u202f235"} {
		assert.Equal(t, want, rate(v))
	}
}

func TestPositionsAreShortenedToTheirEnd(t *testing.T) {
	for position, want := range map[string]string{
		"/home/me/app/server/ledger.go:73":        "server/ledger.go:73",
		`C:\me\app\ledger.go:73`:                  "app/ledger.go:73",
		"ledger.go:73":                            "ledger.go:73",
		"github.com/me/app/server.(*ledger).tick": "server.(*ledger).tick",
		"main.(*ledger).tick":                     "main.(*ledger).tick",
		"unknown":                                 "unknown",
		"":                                        "",
	} {
		assert.Equal(t, want, place(position))
	}
}
