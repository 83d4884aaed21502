package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// maxReply bounds a reply of Redis.
const maxReply = 1 << 20

// redis speaks as much of Redis's protocol as a check needs.
type redis struct {
	conn net.Conn
	r    *bufio.Reader
}

func dialRedis(ctx context.Context, address string, cfg *tls.Config) (*redis, error) {
	address, secure := strings.CutPrefix(address, "rediss://")
	address = strings.TrimSuffix(strings.TrimPrefix(address, "redis://"), "/")
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(address, "6379")
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	if secure {
		host, _, _ := net.SplitHostPort(address)
		cfg = cfg.Clone()
		cfg.ServerName = host
		secured := tls.Client(conn, cfg)
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, err
		}
		conn = secured
	}
	return &redis{conn, bufio.NewReader(io.LimitReader(conn, maxReply))}, nil
}

func (r *redis) close() { _ = r.conn.Close() }

// ask sends a command and returns the reply's text. An error that Redis replies
// is an error without its text.
func (r *redis) ask(words ...string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
	}
	if _, err := io.WriteString(r.conn, b.String()); err != nil {
		return "", err
	}
	return reply(r.r)
}

// reply reads a simple or a bulk string.
func reply(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	switch {
	case line == "":
	case line[0] == '+':
		return line[1:], nil
	case line[0] == '$':
		n, err := strconv.Atoi(line[1:])
		if err != nil || n < 0 || n > maxReply {
			break
		}
		body := make([]byte, n+2)
		if _, err := io.ReadFull(r, body); err != nil {
			return "", err
		}
		return string(body[:n]), nil
	}
	return "", errors.New("a refusal, or no Redis")
}
