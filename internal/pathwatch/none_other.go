//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package pathwatch

// Table is empty: the caller polls on these systems.
type Table struct{}

// NewTable returns an empty Table.
func NewTable(Register) *Table { return &Table{} }

// Watch is never open.
type Watch struct{}

// Open has no effect.
func (*Watch) Open(*Table, Path, Notify) {}

// Update returns false.
func (*Watch) Update() (reliable bool) { return false }

// Retry returns false.
func (*Watch) Retry() bool { return false }

// Close has no effect.
func (*Watch) Close() {}
