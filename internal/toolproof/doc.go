// Package toolproof has only tests. They check that the tools of the Go distribution, and
// the viewer of Chrome's traces, show a loop's watchers by their names. The package is a
// module of its own because of its dependencies.
//
// With EV_SCREENSHOTS=DIR and a Chromium, the tests write screenshots of the tools to
// DIR. docs/img was made this way.
package toolproof
