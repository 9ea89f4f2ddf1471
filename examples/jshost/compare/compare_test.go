package compare

import (
	"context"
	"testing"
	"time"

	"github.com/dop251/goja"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheScriptsDoTheSameOnBoth(t *testing.T) {
	for _, s := range scripts {
		for name, run := range map[string]contestant{"host": onHost, "goja_nodejs": onGojaNodejs} {
			t.Run(s.name+"/"+name, func(t *testing.T) {
				_, err := s.time(context.Background(), run, 200) // it checks the result
				require.NoError(t, err)
			})
		}
	}
}

func TestAResultThatIsWrongIsAnError(t *testing.T) {
	lazy := func(context.Context, *goja.Program, int) (int64, time.Duration, error) { return 1, 0, nil }
	_, err := scripts[0].time(context.Background(), lazy, 2)
	assert.EqualError(t, err, "1 done of 2")
}

func TestTheMedianIsTheMiddleOne(t *testing.T) {
	assert.Equal(t, time.Duration(2), median([]time.Duration{9, 1, 2}))
	assert.Equal(t, 1.5, median([]float64{1.5}))
}
