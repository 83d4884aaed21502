package webhook

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/kyckit/kyckit"
)

const (
	maxCAFile  = 4 << 20
	maxCRLFile = 64 << 20
	// maxInline is how large files may be that a handshake or request waits
	// for: a list of some 3,500 certificates, which takes a few milliseconds.
	maxInline = 128 << 10
)

// certMaterial is the contents that a rule is made of.
type certMaterial struct {
	ca, crl []byte
}

func (m certMaterial) sum() [sha256.Size]byte {
	ca, crl := sha256.Sum256(m.ca), sha256.Sum256(m.crl)
	return sha256.Sum256(append(ca[:], crl[:]...))
}

// loadMaterial reads what a configuration points to.
func loadMaterial(cfg *ClientCertConfig) (certMaterial, error) {
	m := certMaterial{ca: cfg.CA, crl: cfg.CRL}
	for _, f := range []struct {
		field, name string
		limit       int64
		into        *[]byte
	}{{"CAFile", cfg.CAFile, maxCAFile, &m.ca}, {"CRLFile", cfg.CRLFile, maxCRLFile, &m.crl}} {
		if f.name == "" {
			continue
		}
		data, err := readFile(f.name, f.limit)
		if err != nil {
			// Err lets a caller ask for fs.ErrNotExist; the text shows no path.
			return m, &kyckit.Error{Provider: provider, Op: opCert, Kind: kyckit.ErrInvalid, Reason: f.field + " cannot be read: " + withoutPath(err), Err: err}
		}
		*f.into = data
	}
	return m, nil
}

// withoutPath says why a file cannot be read, without its name.
func withoutPath(err error) string {
	path := (*fs.PathError)(nil)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "it does not exist"
	case errors.Is(err, fs.ErrPermission):
		return "permission denied"
	case errors.As(err, &path):
		return path.Err.Error()
	}
	return err.Error() // our own
}

// readFile reads a file of limited size. It never returns nil without an error.
func readFile(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name) //nolint:gosec // the configuration names it
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("it is longer than %d MiB", limit>>20)
	}
	return data, err
}

// large reports whether the files are too large to wait for.
func (cfg *ClientCertConfig) large() bool {
	var size int64
	for _, name := range []string{cfg.CAFile, cfg.CRLFile} {
		if info, err := os.Stat(name); name != "" && err == nil {
			size += info.Size()
		}
	}
	return size > maxInline
}

// follow makes the state that comes after another one, whose revocation lists
// may not be newer. before may be nil.
func (cfg ClientCertConfig) follow(m certMaterial, before *certState) (*certState, error) {
	rule, err := cfg.rule(m)
	if err != nil || before == nil {
		return &certState{cfg: cfg, rule: rule}, err
	}
	if reason := rule.OlderThan(before.rule); reason != "" {
		err := invalid(opCert, reason)
		before.cfg.event(CertificateEvent{Kind: EventRolledBack, Err: err})
		return nil, err
	}
	return &certState{cfg: cfg, rule: rule}, nil
}

// Reload reads the files again. On an error, which is returned and reported to
// OnEvent, the last good contents stay in use. A revocation list that is older
// than the list of the same issuer in use, by its date or its number, is such
// an error.
func (c *ClientCert) Reload() error {
	if c == nil || c.state.Load() == nil {
		return invalid(opCert, "not made by NewClientCert")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reload()
}

// reload reads the files and puts their contents into use. The lock is held.
func (c *ClientCert) reload() error {
	m, err := loadMaterial(&c.state.Load().cfg)
	return c.try(m, err)
}

// reloadChanged is reload for contents that it has not seen before, good or bad.
// Errors are reported as events. The lock is held.
func (c *ClientCert) reloadChanged() {
	m, err := loadMaterial(&c.state.Load().cfg)
	if err != nil || m.sum() != c.tried {
		_ = c.try(m, err)
	}
}

// try puts contents into use if they are good. The lock is held.
func (c *ClientCert) try(m certMaterial, err error) error {
	old := c.state.Load()
	if err == nil {
		c.tried = m.sum()
		var next *certState
		if next, err = old.cfg.follow(m, old); err == nil {
			c.use(next, m)
			old.cfg.event(CertificateEvent{Kind: EventReloaded})
			return nil
		}
	}
	old.cfg.event(CertificateEvent{Kind: EventReloadFailed, Err: err})
	return err
}

// use puts a state into use. The lock is held.
func (c *ClientCert) use(s *certState, m certMaterial) {
	c.tried = m.sum()
	c.polled.Store(s.cfg.Now().UnixNano())
	c.state.Store(s)
	c.warnOfStore(s)
}

// current returns the state in use, after a look at the files if that is due.
// One caller looks, the others go on with what there is.
func (c *ClientCert) current() *certState {
	if c == nil {
		return nil
	}
	s := c.state.Load()
	if s == nil || s.cfg.PollInterval < 0 || !c.pollDue(s) {
		return s
	}
	if s.cfg.CAFile != "" || s.cfg.CRLFile != "" {
		if s.cfg.large() {
			c.reloadBeside()
			return s
		}
		if !c.mu.TryLock() { // somebody loads already
			return s
		}
		c.reloadChanged()
		c.mu.Unlock()
		s = c.state.Load()
	}
	c.warnOfStore(s)
	return s
}

// pollDue reports, to one caller only, that it is time to look.
func (c *ClientCert) pollDue(s *certState) bool {
	now, last := s.cfg.Now().UnixNano(), c.polled.Load()
	// A clock that was set back must not put the next look off.
	since := time.Duration(now - last)
	return (since < 0 || since >= s.cfg.PollInterval) && c.polled.CompareAndSwap(last, now)
}

// reloadBeside looks at the files in a goroutine that ends when that is done.
func (c *ClientCert) reloadBeside() {
	if !c.loading.CompareAndSwap(false, true) {
		return
	}
	go func() {
		defer c.loading.Store(false)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.reloadChanged()
		c.warnOfStore(c.state.Load())
	}()
}
