package ev

import (
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSumsAndDifferencesOfSpansSaturate(t *testing.T) {
	edges := []time.Duration{longAgo, longAgo + 1, longAgo / 2, -time.Hour, -1, 0, 1, time.Hour, never / 2, never/2 + 1, never - 1, never}
	for _, x := range edges {
		for _, y := range edges {
			checkSpans(t, x, y)
		}
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	num := func() time.Duration { return time.Duration(rnd.Uint64()) >> rnd.IntN(63) }
	for range 20_000 {
		checkSpans(t, num(), num())
	}
}

func FuzzSpans(f *testing.F) {
	f.Add(int64(never), int64(1))
	f.Add(int64(longAgo), int64(1))
	f.Add(int64(0), int64(longAgo))
	f.Fuzz(func(t *testing.T, x, y int64) { checkSpans(t, time.Duration(x), time.Duration(y)) })
}

func checkSpans(t *testing.T, x, y time.Duration) {
	t.Helper()
	bx, by := big.NewInt(int64(x)), big.NewInt(int64(y))
	require.Equal(t, nearest(new(big.Int).Add(bx, by)), after(x, y), "%d + %d", x, y)
	require.Equal(t, nearest(new(big.Int).Sub(bx, by)), since(x, y), "%d - %d", x, y)
}

// nearest is the span that is nearest to x.
func nearest(x *big.Int) time.Duration {
	switch {
	case x.IsInt64():
		return time.Duration(x.Int64())
	case x.Sign() < 0:
		return longAgo
	}
	return never
}
