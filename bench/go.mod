module github.com/goevlib/ev/bench

go 1.25.0

require (
	github.com/cloudwego/netpoll v0.7.2
	github.com/goevlib/ev v0.0.0
)

require (
	github.com/bytedance/gopkg v0.1.1 // indirect
	github.com/cloudwego/gopkg v0.1.4 // indirect
	go.uber.org/atomic v1.12.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
)

replace github.com/goevlib/ev => ../
