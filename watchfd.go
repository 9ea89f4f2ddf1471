package ev

// watchFD has fn called on the loop's goroutine, in the poll phase of an
// iteration, when fd is ready: for the kinds that wait on a descriptor of their
// own. It counts as no watcher, and holds no reference. fn(Error) says that the
// poller refuses the descriptor, and that it is not watched any more.
func (l *Loop) watchFD(fd int, events Events, fn func(got Events)) (stop func(), err error) {
	w := NewIO(l, fd, events, func(*IO, Events) {})
	w.internal = fn
	w.hidden = true
	if err := w.Start(); err != nil {
		return nil, err
	}
	return w.Stop, nil
}
