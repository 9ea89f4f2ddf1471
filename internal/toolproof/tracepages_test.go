package toolproof

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// traceServer makes "go tool trace" serve the trace.
func traceServer(t *testing.T, data []byte) (url string) {
	path := filepath.Join(t.TempDir(), "trace.out")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	cmd := exec.CommandContext(t.Context(), tool(t, "trace"), "-http=127.0.0.1:0", path)
	cmd.Env = append(os.Environ(), "BROWSER=true") // it would open a browser
	said, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	address := regexp.MustCompile(`listening on (http://\S+)`)
	for lines := bufio.NewScanner(said); lines.Scan(); {
		if m := address.FindStringSubmatch(lines.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, said) }()
			return m[1]
		}
	}
	require.Fail(t, "go tool trace did not say where it listens")
	return ""
}

func get(t *testing.T, url string) string {
	response, err := http.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s: %s", url, body)
	return html.UnescapeString(string(body))
}

func TestThePagesOfGoToolTraceListWatchersByName(t *testing.T) {
	url := traceServer(t, traced(t))
	tasks, regions := get(t, url+"/usertasks"), get(t, url+"/userregions")
	for name, n := range calls {
		row := regexp.MustCompile(fmt.Sprintf(`%s</td>\s*<td><a href="[^"]*">%d</a>`, name, n))
		assert.Regexp(t, row, tasks)
		assert.Contains(t, regions, name)
	}
}

func TestABrowserShowsThePagesOfGoToolTrace(t *testing.T) {
	browser := newBrowser(t)
	url := traceServer(t, traced(t))
	see(t, browser, chromedp.Navigate(url+"/userregions"))
	text := see(t, browser, chromedp.Evaluate[string]("document.body.innerText"))
	for name := range calls {
		assert.Contains(t, text, name)
	}
	screenshot(t, browser, "trace-regions.png")
}
