package wake

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// prefix keeps the names apart from other subjects on the same servers.
const prefix = "ev.wake."

// maxName is the longest name, in bytes. It is far below the 4096 bytes of a
// protocol line. With a longer line the server closes the connection instead of
// refusing the message.
const maxName = 256

// subject checks a name and returns its subject in NATS.
func subject(name string) (string, error) {
	switch {
	case name == "":
		return "", fmt.Errorf("wake: empty name")
	case len(name) > maxName:
		return "", fmt.Errorf("wake: a name of %d bytes, above %d, that begins with %.20q", len(name), maxName, name)
	case !utf8.ValidString(name):
		return "", fmt.Errorf("wake: name %q: not UTF-8", name)
	}
	for _, r := range name {
		switch {
		case r == '*' || r == '>':
			return "", fmt.Errorf("wake: name %q: %q is a wildcard", name, r)
		case unicode.IsSpace(r) || unicode.IsControl(r):
			return "", fmt.Errorf("wake: name %q: contains %q", name, r)
		}
	}
	for token := range strings.SplitSeq(name, ".") {
		if token == "" {
			return "", fmt.Errorf("wake: name %q: nothing before, between or after dots", name)
		}
	}
	return prefix + name, nil
}
