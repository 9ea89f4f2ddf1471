module github.com/goevlib/ev/internal/toolproof

// A reader of execution traces has to be as new as what writes them.
go 1.26.0

require (
	github.com/chromedp/chromedp v0.23.0
	github.com/goevlib/ev v0.0.0
	github.com/stretchr/testify v1.12.1
	golang.org/x/exp v0.0.0-20261014143641-f0251eb4aa3e
)

require (
	github.com/chromedp/cdproto v0.159.0 // indirect
	github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
	go.uber.org/atomic v1.12.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sys v0.47.0 // indirect
)
