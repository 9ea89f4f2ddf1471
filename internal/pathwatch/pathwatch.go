// Package pathwatch reports that a path may name another file now, or that the file
// may have changed. It does not say what has changed: the caller looks at the path.
//
// Linux has inotify and the mount table, macOS and the BSDs have kqueue. Elsewhere
// nothing is reported, and the caller must poll.
//
// The platform's files define:
//
//	NewTable(register)               a Table for the Watches of one event loop
//	Watch.Open(table, path, notify)  join the table; without descriptors it has no effect
//	Watch.Update() (reliable bool)   watch all that the meaning of the path depends on now
//	Watch.Retry() bool               reports whether another Update might do better
//	Watch.Close()                    leave the table; any number of times
//
// The zero Watch is closed. Call Update before you look at the
// path, and again whenever the path may lead through other files than before. While
// Update returns false, changes can go unreported: poll.
//
// A Table and its Watches must be used on one goroutine.
package pathwatch

// Register has ready called on the caller's goroutine while fd is readable. It takes fd
// over: free closes it, when the returned function is called or when the event loop is
// closed or dropped. If Register fails, it has called free. After ready(true) the
// descriptor is no longer watched.
type Register func(fd int, free func(), ready func(lost bool)) (release func(), err error)

// Notify looks at the path and reports whether something has changed. If moved is true,
// the path may lead through other files than before, and Notify must call Update first.
type Notify func(moved bool) (changed bool)
