package evtime

import "fmt"

// Edges are the ends of a burst of triggers at which a [Debounce] or a [Throttle] makes its calls.
type Edges uint8

const (
	// Leading is a call at once for the first trigger of a burst.
	Leading Edges = 1 << iota
	// Trailing is a call for the triggers that have come since the last call.
	Trailing
)

func (e Edges) check(method string) {
	if e == 0 || e&^(Leading|Trailing) != 0 {
		panic(fmt.Sprintf("evtime: %s: edges %d are not a set of Leading and Trailing", method, e))
	}
}
