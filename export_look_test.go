package ev

// Asked returns the number of questions that wait for the loop.
func Asked(l *Loop) int {
	l.looks.mu.Lock()
	defer l.looks.mu.Unlock()
	return len(l.looks.questions)
}
