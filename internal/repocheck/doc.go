// Package repocheck has tests of the repository itself: the exported API is the
// one written down, the programs in the documentation work, its links lead
// somewhere, its tables name tests and functions that exist, and its sentences stay
// plain. It has no code of its own.
package repocheck
