package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/node"
)

// drainTime is how long requests under way may take when the server is asked to stop.
const drainTime = 20 * time.Second

// runServer runs a node until ctx ends or the node ends by itself. ready is called once, when the ports answer.
func runServer(ctx context.Context, c node.Config, ready func(*node.Node)) error {
	n, err := node.Start(ctx, c)
	if err != nil {
		return explainStart(err, c)
	}
	ready(n)
	select {
	case <-n.Done():
		return errors.Join(n.Err(), stopNode(ctx, n))
	case <-ctx.Done():
		return stopNode(ctx, n)
	}
}

// stopNode drains a node, also when the context that it ran under has ended.
func stopNode(ctx context.Context, n *node.Node) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	return n.Stop(ctx)
}

// explainStart says what to do about a server that did not start.
func explainStart(err error, c node.Config) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w; another server runs there, --listen, --tls-listen and --console-listen take other addresses (port 0 is a free one)", err)
	case fault.Is(err, fault.Conflict):
		return fmt.Errorf("%w; another weir uses %s, --data takes another directory", err, c.DataDir)
	}
	return err
}
