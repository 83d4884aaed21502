package transport

import (
	"crypto/tls"
	"errors"
	"net"
	"reflect"
	"syscall"
	"time"
)

// tlsRefusal is the error of a connection that the server ended with a TLS alert.
// With TLS 1.3 a client has finished its part of the handshake, and may have
// sent the request, before it hears that its certificate is not accepted.
type tlsRefusal struct {
	alert tls.AlertError
	err   error
}

func (r *tlsRefusal) Error() string { return r.alert.Error() }

// Unwrap returns the alert and what net/http said.
func (r *tlsRefusal) Unwrap() []error { return []error{r.alert, r.err} }

// alerted makes a tlsRefusal of an error that is a server's alert about the
// handshake. Package crypto/tls reports alerts by a type that it does not export.
func alerted(err error) error {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return err
	}
	v := reflect.ValueOf(op.Err)
	if v.Kind() != reflect.Uint8 || v.Type().PkgPath() != "crypto/tls" {
		return err
	}
	alert := tls.AlertError(v.Uint()) //nolint:gosec // of eight bits
	if !ofHandshake(alert) {
		return err
	}
	return &tlsRefusal{alert, err}
}

// lateAlert looks for the alert on a new connection that was lost with another
// error: net/http may notice first that it cannot write.
func lateAlert(conn net.Conn, err error, written bool) error {
	lost := !written || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, net.ErrClosed)
	c, ok := conn.(*tls.Conn)
	if !ok || !lost || errors.As(err, new(*tlsRefusal)) {
		return err
	}
	socket, ok := c.NetConn().(syscall.Conn)
	if !ok {
		return err
	}
	raw, failed := socket.SyscallConn()
	if failed != nil {
		return err
	}
	for range 50 {
		if raw.Control(func(uintptr) {}) != nil { // closed, so that a Read returns what crypto/tls keeps
			_, kept := c.Read(make([]byte, 1))
			if kept = alerted(kept); errors.As(kept, new(*tlsRefusal)) {
				return kept
			}
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return err
}

// The alerts of RFC 8446, section 6.2, and RFC 5246, section 7.2.2, that a server
// sends about a client's certificate.
const (
	alertNoCertificate       tls.AlertError = 41
	alertBadCertificate      tls.AlertError = 42
	alertUnknownCA           tls.AlertError = 48
	alertAccessDenied        tls.AlertError = 49
	alertCertificateRequired tls.AlertError = 116
)

// aboutCertificate reports alerts about the certificate that the client showed or
// failed to show.
func aboutCertificate(alert tls.AlertError) bool {
	return alert >= alertNoCertificate && alert <= 46 || alert == alertUnknownCA ||
		alert == alertAccessDenied || alert == alertCertificateRequired
}

// ofHandshake reports alerts that no server sends after the handshake.
func ofHandshake(alert tls.AlertError) bool {
	const (
		handshakeFailure     tls.AlertError = 40
		protocolVersion      tls.AlertError = 70
		insufficientSecurity tls.AlertError = 71
		missingExtension     tls.AlertError = 109
		unrecognizedName     tls.AlertError = 112
		noApplicationProto   tls.AlertError = 120
	)
	switch alert {
	case handshakeFailure, protocolVersion, insufficientSecurity, missingExtension, unrecognizedName, noApplicationProto:
		return true
	}
	return aboutCertificate(alert)
}
