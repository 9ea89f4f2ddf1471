package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// runServer runs the NATS server of nats-server inside this program.
func runServer(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("cluster server", flag.ContinueOnError)
	address := f.String("listen", "127.0.0.1:4222", "the `address` to serve at")
	if err := parse(f, args); err != nil {
		return err
	}
	host, text, err := net.SplitHostPort(*address)
	if err != nil {
		return fmt.Errorf("-listen: %w", err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return fmt.Errorf("-listen: not a port: %q", text)
	}
	s, err := server.NewServer(&server.Options{Host: host, Port: int(port), NoLog: true, NoSigs: true})
	if err != nil {
		return err
	}
	s.Start()
	defer s.WaitForShutdown()
	defer s.Shutdown()
	if !s.ReadyForConnections(10 * time.Second) {
		return fmt.Errorf("not ready at %s: is the address in use?", *address)
	}
	if err := say(out, report{URL: s.ClientURL()}); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
