package host

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// request is the part of fetch that is in Go. It returns a promise of the whole
// response, and a function that cancels it.
func (h *Host) request(method, url string, headers map[string]string, body string) map[string]any {
	ctx, cancel := context.WithCancel(h.program)
	answer := h.promise(ctx, func(ctx context.Context) (any, error) {
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
		if err != nil {
			return nil, fmt.Errorf("fetch: %w", err)
		}
		for name, value := range headers {
			r.Header.Set(name, value)
		}
		return do(h.Client, r)
	})
	return map[string]any{"answer": answer, "cancel": func() { cancel() }}
}

// do reads the whole body into memory, off the loop, so that text and json need
// not wait.
func do(client *http.Client, r *http.Request) (any, error) {
	response, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("fetch: %s %s: %w", r.Method, r.URL, err)
	}
	headers := map[string]string{}
	for name, values := range response.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return map[string]any{
		"url":        response.Request.URL.String(),
		"status":     response.StatusCode,
		"statusText": http.StatusText(response.StatusCode),
		"headers":    headers,
		"body":       strings.ToValidUTF8(string(body), "\uFFFD"),
	}, nil
}
