package evflight_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evflight"
)

func Example() {
	loop, err := ev.New(ev.WithName("main"))
	if err != nil {
		panic(err)
	}
	defer loop.Close()
	recorder := evflight.Start(loop, 10_000)
	defer recorder.Stop()

	ev.NewTimer(loop, 0, 0, func(*ev.Timer) {}, ev.Name("load"), ev.Priority(1)).Start()
	ev.NewTimer(loop, 0, 0, func(*ev.Timer) {}, ev.Name("report")).Start()
	loop.Run(context.Background())

	// Into a file, for a viewer; here only the names of the callbacks are looked at.
	var out bytes.Buffer
	if err := evflight.Write(&out, recorder); err != nil {
		panic(err)
	}
	var trace struct {
		TraceEvents []struct{ Name, Cat string }
	}
	if err := json.Unmarshal(out.Bytes(), &trace); err != nil {
		panic(err)
	}
	for _, e := range trace.TraceEvents {
		if e.Cat == "callback" {
			fmt.Println(e.Name)
		}
	}
	// Output:
	// Timer load
	// Timer report
}
