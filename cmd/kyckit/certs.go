package main

import (
	"context"
	"crypto/x509"
	"errors"
	"flag"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kyckit/kyckit/webhook/webhooktest"
)

func certsCommand() command {
	return command{
		name: "certs", summary: "make a CA, certificates for a server and a client, and bad ones",
		about: "For tests: the key of the CA is thrown away, so nobody can sign with it again. Keys are readable by the\n" +
			"owner alone. What is there already is never overwritten.",
		example: []string{"kyckit certs -dir certs", "kyckit certs -dir certs -host hooks.test -valid 24h"},
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			dir := fs.String("dir", "", "the `directory` to write to; made if it is not there")
			host := fs.String("host", "", "a further DNS `name` of the server, besides localhost and loopback")
			client := fs.String("client", "client.kyckit.test", "the DNS `name` of the client certificates")
			valid := fs.Duration("valid", 30*24*time.Hour, "how long the good certificates are valid, at most 8760h")
			asJSON := fs.Bool("json", false, "print JSON lines")
			return func(_ context.Context, args []string) error {
				if err := none(args); err != nil {
					return err
				}
				if *dir == "" || *valid < time.Minute || *valid > 365*24*time.Hour {
					return usage("-dir is required, and -valid is from 1m to 8760h")
				}
				files, err := makeCerts(*host, *client, *valid)
				if err != nil {
					return usage("the certificates cannot be made: %v", err)
				}
				return p.writeCerts(*dir, files, *asJSON)
			}
		},
	}
}

// certFile is a file that certs writes.
type certFile struct {
	Name  string `json:"file"`
	About string `json:"about"`
	Pin   string `json:"spki,omitempty"`
	raw   []byte
	key   bool
}

func makeCerts(host, client string, valid time.Duration) (files []certFile, err error) {
	ca, err := webhooktest.NewCA("kyckit test CA")
	if err != nil {
		return nil, err
	}
	files = append(files, certFile{Name: "ca.pem", About: "the CA", raw: ca.PEM()})
	add := func(name, about string, id *webhooktest.Identity) {
		files = append(files,
			certFile{Name: name + ".pem", About: about, Pin: id.SPKI(), raw: id.PEM()},
			certFile{Name: name + "-key.pem", About: "its key", raw: id.KeyPEM(), key: true})
	}
	end := time.Now().Add(valid)
	names := []string{"localhost"}
	if host != "" {
		names = append(names, host)
	}
	server, err := ca.Issue(webhooktest.Leaf{
		CommonName: "kyckit test server", DNSNames: names, IPs: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, NotAfter: end,
	})
	if err != nil {
		return nil, err
	}
	add("server", "a server on loopback", server)
	leaf := webhooktest.Leaf{CommonName: "kyckit test client", DNSNames: []string{client}, NotAfter: end}
	good, err := ca.Issue(leaf)
	if err != nil {
		return nil, err
	}
	add("client", "a client", good)
	revoked, err := ca.Issue(leaf)
	if err != nil {
		return nil, err
	}
	add("bad-revoked", "bad: revoked by ca.crl", revoked)
	for _, kind := range webhooktest.BadCerts() {
		bad, err := ca.Bad(kind, leaf)
		if err != nil {
			return nil, err
		}
		add("bad-"+strings.ReplaceAll(strings.ToLower(string(kind)), " ", "-"), "bad: "+string(kind), bad)
	}
	list, err := ca.CRL(webhooktest.CRL{Revoked: []*x509.Certificate{revoked.Certificate}, NextUpdate: end})
	if err != nil {
		return nil, err
	}
	return append(files, certFile{Name: "ca.crl", About: "the CA's revocation list", raw: list}), nil
}

func (p *program) writeCerts(dir string, files []certFile, asJSON bool) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return usage("-dir: the directory cannot be made")
	}
	for _, f := range files {
		if _, err := os.Lstat(filepath.Join(dir, f.Name)); !errors.Is(err, os.ErrNotExist) {
			return usage("-dir: %s is there already; nothing was written", f.Name)
		}
	}
	for _, f := range files {
		mode := os.FileMode(0o644)
		if f.key {
			mode = 0o600
		}
		if err := writeNew(filepath.Join(dir, f.Name), f.raw, mode); err != nil {
			return usage("-dir: %s cannot be written", f.Name)
		}
		switch {
		case asJSON:
			p.line(f)
		case !f.key:
			p.printf("%-48s %s\n", f.Name, f.About)
		}
	}
	return nil
}

// writeNew writes a file that must not exist.
func writeNew(name string, raw []byte, mode os.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode) //nolint:gosec // the user names the directory
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	return errors.Join(err, f.Close())
}
