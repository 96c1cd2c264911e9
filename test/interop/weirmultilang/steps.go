package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

// The steps of a proof, in their order. Daemon a runs from one step to the next.

func (p *proof) readsAll(ctx context.Context) error {
	if _, err := p.kinesis.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: &p.stream, ShardCount: aws.Int32(3)}); err != nil {
		return err
	}
	if err := p.active(ctx); err != nil {
		return err
	}
	if err := p.put(ctx); err != nil {
		return err
	}
	if err := p.start("a"); err != nil {
		return err
	}
	return p.complete()
}

// killedProcessor kills one processor: its daemon must end with exit code 1, and the next one, which whoever runs it starts, must go on.
func (p *proof) killedProcessor(ctx context.Context) error {
	victims, err := p.processors()
	if err != nil || len(victims) == 0 {
		return errors.Join(err, errors.New("there is no processor to kill"))
	}
	code := 0
	if err := p.whilePutting(ctx, func() error {
		err := syscall.Kill(victims[0], syscall.SIGKILL)
		code = p.wait("a")
		return err
	}); err != nil {
		return err
	}
	if code != 1 {
		return fmt.Errorf("the daemon ended with %d", code)
	}
	for _, pid := range victims {
		if running(pid) {
			return fmt.Errorf("processor %d is left", pid)
		}
	}
	if err := p.put(ctx); err != nil {
		return err
	}
	if err := p.start("a"); err != nil {
		return err
	}
	return p.complete()
}

// whilePutting does something when the first of a put's records have been seen, and others are yet to come.
func (p *proof) whilePutting(ctx context.Context, do func() error) error {
	before, err := p.lines()
	if err != nil {
		return err
	}
	put := make(chan error, 1)
	go func() { put <- p.put(ctx) }()
	err = eventually("new records are seen", func() (bool, error) {
		now, err := p.lines()
		return len(now) > len(before), err
	})
	if err == nil {
		err = do()
	}
	return errors.Join(err, <-put)
}

func (p *proof) split(ctx context.Context) error {
	middle := "56713727820156410577229101238628035242" // of the first third of the hash keys
	if _, err := p.kinesis.SplitShard(ctx, &kinesis.SplitShardInput{StreamName: &p.stream, ShardToSplit: aws.String("shardId-000000000000"), NewStartingHashKey: &middle}); err != nil {
		return err
	}
	if err := p.active(ctx); err != nil {
		return err
	}
	if err := p.put(ctx); err != nil {
		return err
	}
	if err := p.complete(); err != nil {
		return err
	}
	return eventually("the parent has ended", func() (bool, error) { return p.says("shardId-000000000000", "ended") })
}

// killedDaemon lets a second daemon take its share, and kills it.
func (p *proof) killedDaemon(ctx context.Context) error {
	before, err := p.processors()
	if err != nil {
		return err
	}
	if err := p.start("b"); err != nil {
		return err
	}
	var theirs []int
	if err := eventually("the second daemon has processors", func() (bool, error) {
		all, err := p.processors()
		theirs = theirs[:0]
		for _, pid := range all {
			if !slices.Contains(before, pid) && running(pid) && parent(pid) == p.daemons["b"].Process.Pid {
				theirs = append(theirs, pid)
			}
		}
		return len(theirs) > 0, err
	}); err != nil {
		return err
	}
	if err := p.whilePutting(ctx, func() error {
		err := p.daemons["b"].Process.Kill()
		p.wait("b")
		return err
	}); err != nil {
		return err
	}
	if err := eventually("the processors of the killed daemon are gone", func() (bool, error) {
		for _, pid := range theirs {
			if running(pid) {
				return false, nil
			}
		}
		return true, nil
	}); err != nil {
		return err
	}
	if err := p.put(ctx); err != nil {
		return err
	}
	return p.complete()
}

// exact ends the daemon in order: the next one sees what is new and nothing else.
func (p *proof) exact(ctx context.Context) error {
	if err := p.daemons["a"].Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if code := p.wait("a"); code != 0 {
		return fmt.Errorf("the daemon ended with %d", code)
	}
	_, before, err := p.seen()
	if err != nil {
		return err
	}
	if err := p.put(ctx); err != nil {
		return err
	}
	if err := p.start("a"); err != nil {
		return err
	}
	if err := p.complete(); err != nil {
		return err
	}
	if err := p.daemons["a"].Process.Signal(os.Interrupt); err != nil {
		return err
	}
	if code := p.wait("a"); code != 0 {
		return fmt.Errorf("the daemon ended with %d", code)
	}
	if _, after, err := p.seen(); err != nil || after != before {
		return errors.Join(err, fmt.Errorf("%d records came again", after-before))
	}
	return nil
}
