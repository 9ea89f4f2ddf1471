package ev

// Some kinds have one thing for all their watchers of a loop, such as the inotify
// descriptor of its Stats. The loop keeps it and does not know what it is, as a
// context does: a kind has a key of a type of its own. A table of the loops, beside
// them, would keep a loop that is dropped without Close.

func (l *Loop) keep(key, value any) {
	if l.kept == nil {
		l.kept = make(map[any]any)
	}
	l.kept[key] = value
}

func (l *Loop) drop(key any) { delete(l.kept, key) }
