// Package repocheck has only tests of the repository itself. The exported API is the one
// in testdata/api.txt. The programs in the documentation work. Links lead somewhere. Tables
// name tests and functions that exist, and the platforms of the scripts. The sentences are plain.
package repocheck
