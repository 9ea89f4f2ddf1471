package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAClientKeepsItsShareOfTheRateAndMakesUpForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second+time.Millisecond)
		defer cancel()
		n := 0
		for p := newPace(10*clients, 0); p.wait(ctx); n++ {
			if n == 50 {
				time.Sleep(2 * time.Second) // an answer that took long
			}
		}
		assert.Equal(t, 101-19, n, "ten a second, and at 0; but one in the two seconds, not 20")
	})
}

func TestClientsBeginOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		for i := range clients {
			require.True(t, newPace(clients, i).wait(context.Background()))
			assert.Equal(t, time.Duration(i)*time.Second/clients, time.Since(began))
			began = time.Now()
		}
	})
}

func TestWithoutARateNothingIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		began, p := time.Now(), newPace(0, 3)
		for range 1000 {
			require.True(t, p.wait(ctx))
		}
		assert.Zero(t, time.Since(began))
		cancel()
		assert.False(t, p.wait(ctx))
		assert.False(t, newPace(1, 3).wait(ctx))
	})
}

func TestMarkedLinesAreCountedAmongTheOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	const before = "GET /?load=M\n"
	require.NoError(t, os.WriteFile(path, []byte(before+"a\nGET /hello?name=x&load=M HTTP\n\nload=m\nload=M, and no end"), 0o600))
	n, err := countLines(path, int64(len(before)), "load=M")
	require.NoError(t, err)
	assert.Equal(t, lines{all: 4, marked: 1}, n)
}

func TestEachRequestCarriesTheMark(t *testing.T) {
	l := load{url: "http://x", mark: "M"}
	assert.Equal(t, "http://x/hello?load=M", l.address("/hello"))
	assert.Equal(t, "http://x/work?ms=1&load=M", l.address("/work?ms=1"))
	assert.NotEqual(t, newLoad("", 0).mark, newLoad("", 0).mark)
}
