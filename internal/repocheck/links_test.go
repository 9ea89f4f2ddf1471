package repocheck

import (
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	linkEnd    = regexp.MustCompile(`\]\(([^)]*)\)`) // the text before it may begin on another line
	link       = regexp.MustCompile(`\[([^\]]*)` + linkEnd.String())
	codeSpan   = regexp.MustCompile("`[^`]*`")
	withScheme = regexp.MustCompile(`^[a-z]+:`)
	heading    = regexp.MustCompile(`^#{1,6} +(.*?) *$`)
)

// Links to other sites are not followed: a test must not depend on them.
func TestTheLinksInTheDocumentationLeadSomewhere(t *testing.T) {
	atRoot(t)
	for _, page := range pages(t) {
		prose, _ := split(t, page)
		for i, line := range prose {
			for _, found := range linkEnd.FindAllStringSubmatch(codeSpan.ReplaceAllString(line, "code"), -1) {
				if target := found[1]; !withScheme.MatchString(target) {
					assert.NoError(t, followLink(t, page, target), "%s:%d: link to %q", page, i+1, target)
				}
			}
		}
	}
}

func followLink(t *testing.T, page, target string) error {
	to, err := url.Parse(target)
	if err != nil {
		return err
	}
	file := page
	if to.Path != "" {
		file = path.Join(path.Dir(page), to.Path)
	}
	if _, err := os.Stat(file); err != nil {
		return err
	}
	if to.Fragment != "" && !anchors(t, file)[to.Fragment] {
		return fmt.Errorf("%s has no heading #%s", file, to.Fragment)
	}
	return nil
}

// anchors returns the anchors of the page's headings, as GitHub makes them. A second
// heading of the same name gets a number.
func anchors(t *testing.T, page string) map[string]bool {
	prose, _ := split(t, page)
	found := map[string]bool{}
	for _, line := range prose {
		if h := heading.FindStringSubmatch(line); h != nil {
			name := anchor(h[1])
			for n := 1; found[name]; n++ {
				name = fmt.Sprint(anchor(h[1]), "-", n)
			}
			found[name] = true
		}
	}
	return found
}

func anchor(title string) string {
	title = link.ReplaceAllString(title, "$1")
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsNumber(r):
			return unicode.ToLower(r)
		}
		return -1
	}, title)
}

func TestAnchorsAreMadeAsGitHubMakesThem(t *testing.T) {
	for title, want := range map[string]string{
		"The wake-up protocol":          "the-wake-up-protocol",
		"Why does `Run` return?":        "why-does-run-return",
		"libev, libuv & [pyev](x.html)": "libev-libuv--pyev",
	} {
		assert.Equal(t, want, anchor(title))
	}
}

func TestEveryPageIsInTheIndex(t *testing.T) {
	atRoot(t)
	index, err := os.ReadFile("docs/README.md")
	require.NoError(t, err)
	files, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	for _, file := range files {
		if name := filepath.Base(file); name != "README.md" {
			assert.True(t, strings.Contains(string(index), "]("+name+")"), "docs/README.md does not lead to %s", name)
		}
	}
}
