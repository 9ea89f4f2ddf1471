package ev_test

// tape is fuzzed data, read as one choice after the other. Past its end every
// choice is 0.
type tape struct{ data []byte }

func (t *tape) ended() bool { return len(t.data) == 0 }

func (t *tape) IntN(n int) int {
	if t.ended() {
		return 0
	}
	v := int(t.data[0])
	t.data = t.data[1:]
	return v % n
}
