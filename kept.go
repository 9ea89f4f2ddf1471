package ev

// keep stores what a kind has once for all its watchers of a loop, such as the inotify
// descriptor of its Stats. As with a context, the loop does not know what the value is,
// and the key is of a type of the kind's own. A global table of loops instead would
// keep a loop that is dropped without Close.

func (l *Loop) keep(key, value any) {
	if l.kept == nil {
		l.kept = make(map[any]any)
	}
	l.kept[key] = value
}
