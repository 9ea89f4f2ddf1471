// Package toolproof has only tests: that the tools of the Go distribution, and the
// viewer of Chrome's traces, show a loop's watchers by their names. They are in a
// module of their own for what they need.
//
// With EV_SCREENSHOTS=DIR, and a Chromium, the tests write there what the tools
// show; docs/img was made so.
package toolproof
