// Package outsider has the programs of .ci/outsider, which builds them outside of this repository,
// with a release of all modules: three of the kinds that the README names under "Use it", a page
// for a browser, and ten mistakes that evvet is to find.
package outsider
