module github.com/goevlib/ev/examples/server

go 1.25.0

require (
	github.com/goevlib/ev v0.0.0
	github.com/goevlib/ev/evdebug v0.0.0
	github.com/stretchr/testify v1.12.1
)

require (
	go.uber.org/atomic v1.12.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sys v0.47.0 // indirect
)
