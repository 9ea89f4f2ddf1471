package ev

// ReopenSet replaces the loop's set of descriptors, as after a descriptor that cannot be removed.
func ReopenSet(l *Loop) error { return l.poller.reopenSet() }
