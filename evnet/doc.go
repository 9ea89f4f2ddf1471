// Package evnet has connections and listeners for the tasks of package ev: a Read, a Write or an
// Accept that cannot be done at once suspends the calling task, and the loop goes on with others.
package evnet
