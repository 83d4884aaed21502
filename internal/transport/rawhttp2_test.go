package transport_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"math/big"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Frames and flags of RFC 9113, section 6.
const (
	frameData, frameHeaders, frameReset, frameSettings, framePing, frameGoAway, frameWindow = 0, 1, 3, 4, 6, 7, 8

	flagAck, flagEndStream, flagEndHeaders = 1, 1, 4

	codeNone, codeProtocol, codeInternal, codeRefused, codeCancel = 0, 1, 2, 7, 8
)

// rawHTTP2 is a server that speaks frames, so that a test can say after a
// request what no sensible server says.
type rawHTTP2 struct {
	URL      string
	client   *http.Transport
	listener net.Listener
	requests atomic.Int32
	conns    atomic.Int32
	wg       sync.WaitGroup
	mu       sync.Mutex
	open     []net.Conn
}

// h2conn is one connection of the server, for the function that answers.
type h2conn struct {
	net.Conn
	s *rawHTTP2
	t *testing.T
}

func (c h2conn) frame(kind, flags byte, stream uint32, payload ...byte) {
	head := []byte{0, byte(len(payload) >> 8), byte(len(payload)), kind, flags, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(head[5:], stream)
	_, _ = c.Write(append(head, payload...))
}

func (c h2conn) reset(stream uint32, code byte) { c.frame(frameReset, 0, stream, 0, 0, 0, code) }

// ok answers with an empty 200, which is number 8 of the static header table.
func (c h2conn) ok(stream uint32) {
	c.frame(frameHeaders, flagEndHeaders|flagEndStream, stream, 0x88)
}

// goAway says that streams after last were not handled.
func (c h2conn) goAway(last uint32, code byte) {
	c.frame(frameGoAway, 0, 0, byte(last>>24), byte(last>>16), byte(last>>8), byte(last), 0, 0, 0, code)
}

// newRawHTTP2 serves until the end of the test. It counts requests as they are
// complete and calls answer with the number of each.
func newRawHTTP2(t *testing.T, answer func(c h2conn, stream uint32, n int)) *rawHTTP2 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	certificate, pool := selfSigned(t)
	s := &rawHTTP2{URL: "https://" + l.Addr().String(), listener: l}
	s.client = &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: pool}}
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2"}}
	s.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.conns.Add(1)
			s.mu.Lock()
			s.open = append(s.open, conn)
			s.mu.Unlock()
			s.wg.Go(func() {
				defer func() { _ = conn.Close() }()
				s.serve(h2conn{tls.Server(conn, config), s, t}, answer)
			})
		}
	})
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		s.close()
		s.wg.Wait()
	})
	return s
}

// close ends the server and its connections.
func (s *rawHTTP2) close() {
	_ = s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.open {
		_ = conn.Close()
	}
}

func (s *rawHTTP2) serve(c h2conn, answer func(c h2conn, stream uint32, n int)) {
	if _, err := io.ReadFull(c, make([]byte, 24)); err != nil { // the preface
		return
	}
	c.frame(frameSettings, 0, 0, 0, 4, 0, 16, 0, 0) // a window of 1 MiB, for a stream
	c.frame(frameWindow, 0, 0, 0, 16, 0, 0)         // and for all of them
	head := make([]byte, 9)
	for {
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if _, err := io.ReadFull(c, payload); err != nil {
			return
		}
		kind, flags, stream := head[3], head[4], binary.BigEndian.Uint32(head[5:])
		switch {
		case kind == frameSettings && flags&flagAck == 0:
			c.frame(frameSettings, flagAck, 0)
		case kind == framePing && flags&flagAck == 0:
			c.frame(framePing, flagAck, 0, payload...)
		case (kind == frameHeaders || kind == frameData) && flags&flagEndStream != 0:
			answer(c, stream, int(s.requests.Add(1)))
		}
	}
}

// selfSigned makes a certificate for 127.0.0.1.
func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Now().AddDate(50, 0, 0),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}
