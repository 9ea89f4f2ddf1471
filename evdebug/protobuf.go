package evdebug

// message is a protocol buffer that is written field by field, as far as a profile needs it.
type message []byte

func (m *message) varint(v uint64) {
	for ; v >= 0x80; v >>= 7 {
		*m = append(*m, byte(v)|0x80)
	}
	*m = append(*m, byte(v))
}

// number writes a field of type int64 or uint64. 0 is the default.
func (m *message) number(field int, v int64) {
	if v != 0 {
		m.varint(uint64(field) << 3)
		m.varint(uint64(v))
	}
}

func (m *message) bytes(field int, b []byte) {
	m.varint(uint64(field)<<3 | 2)
	m.varint(uint64(len(b)))
	*m = append(*m, b...)
}

// numbers writes a packed field.
func (m *message) numbers(field int, all ...int64) {
	var packed message
	for _, v := range all {
		packed.varint(uint64(v))
	}
	m.bytes(field, packed)
}
