package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"time"
)

// server is the Redis that the processes share.
type server struct {
	addr string
	cmd  *exec.Cmd // nil when it was given or does not run
	mine bool
}

// openRedis takes the Redis that is given, or starts one.
func openRedis(ctx context.Context, addr string) (*server, error) {
	if addr != "" {
		return &server{addr: addr}, nil
	}
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil, errors.New("no Redis: name one with -redis host:port, or install redis-server (Debian: apt install redis-server) and it is started for you")
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0") // a free port
	if err != nil {
		return nil, err
	}
	s := &server{addr: l.Addr().String(), mine: true}
	if err := l.Close(); err != nil {
		return nil, err
	}
	return s, s.start(ctx)
}

func (s *server) own() bool { return s.mine }

// start runs redis-server without files, so that it is empty after each start.
func (s *server) start(ctx context.Context) error {
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		return err
	}
	s.cmd = exec.CommandContext(context.WithoutCancel(ctx), "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--loglevel", "warning")
	if err := s.cmd.Start(); err != nil {
		return err
	}
	for range 100 {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", s.addr)
		if err == nil {
			return conn.Close()
		}
		pause(ctx, 100*time.Millisecond)
	}
	return fmt.Errorf("redis-server does not answer on %s", s.addr)
}

// stop kills the server that was started here.
func (s *server) stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}
