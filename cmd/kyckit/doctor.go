package main

import (
	"context"
	"flag"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/kyckit/kyckit"
)

type doctorFlags struct {
	baseURL, tokenURL, clientID, clientSecret, username, password string
	crl, redis, redisPassword                                     string
	tls                                                           tlsFlags
	timeout                                                       time.Duration
	json                                                          bool
}

func doctorCommand() command {
	return command{
		name: "doctor", args: "nafath|faceki|caf|kycjwt", summary: "check a live configuration without starting a verification",
		about: "It obtains a token and reads what does not exist: nothing is created, nobody is prompted, nothing is paid.\n" +
			"One line a check: PASS, WARN, FAIL or SKIP. A failed check exits with 1, a server that cannot be reached\n" +
			"with 3. Credentials are sent to https, or to loopback, alone.",
		example: []string{
			"kyckit doctor nafath -base-url https://nafath.example -token-url https://login.example/oauth/token -client-id me -client-secret @secret",
			"kyckit doctor kycjwt -base-url https://kyc.example -username me@example.com -password env:KYC_PASSWORD",
		},
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			f := &doctorFlags{}
			fs.StringVar(&f.baseURL, "base-url", "", "the provider's `address`")
			fs.StringVar(&f.tokenURL, "token-url", "", "the `address` of the token endpoint (nafath)")
			fs.StringVar(&f.clientID, "client-id", "", "the client `id`")
			fs.StringVar(&f.clientSecret, "client-secret", "", "the client secret "+refUsage)
			fs.StringVar(&f.username, "username", "", "the user `name` (kycjwt)")
			fs.StringVar(&f.password, "password", "", "the password "+refUsage)
			fs.StringVar(&f.crl, "crl", "", "a revocation list whose freshness is checked (`@file`)")
			fs.StringVar(&f.redis, "redis", "", "a Redis `address`: host:port, or rediss://host:port")
			fs.StringVar(&f.redisPassword, "redis-password", "", "its password "+refUsage)
			fs.DurationVar(&f.timeout, "timeout", 10*time.Second, "how long one check may take")
			fs.BoolVar(&f.json, "json", false, "print JSON lines")
			f.tls.register(fs)
			return func(ctx context.Context, args []string) error {
				provider, err := one(args, "nafath, faceki, caf or kycjwt")
				if err != nil {
					return err
				}
				d, err := p.doctor(provider, f)
				if err != nil {
					return err
				}
				return d.examine(ctx)
			}
		},
	}
}

// The results of a check.
const (
	pass = "pass"
	warn = "warn"
	fail = "fail"
	skip = "skip"
)

// check is the line of one check.
type check struct {
	Check  string `json:"check"`
	Result string `json:"result"`
	Detail string `json:"detail"`
}

// doctor examines one configuration.
type doctor struct {
	*program

	flags    *doctorFlags
	provider string
	secret   kyckit.Secret
	urls     []*url.URL // the base address, and that of the token
	redisKey kyckit.Secret
	crl      []byte
	record   *recorder

	failed, lost bool
}

// doctor reads the flags.
func (p *program) doctor(provider string, f *doctorFlags) (*doctor, error) {
	d := &doctor{program: p, flags: f, provider: provider}
	ref, name := f.clientSecret, "client-secret"
	switch provider {
	case "nafath":
		if f.tokenURL == "" {
			return nil, usage("-token-url is required")
		}
	case "faceki", "caf":
	case "kycjwt":
		if f.username == "" {
			return nil, usage("-username is required")
		}
		ref, name = f.password, "password"
	default:
		return nil, usage("the providers are nafath, faceki, caf and kycjwt")
	}
	if provider != "kycjwt" && f.clientID == "" {
		return nil, usage("-client-id is required")
	}
	for _, text := range []string{f.baseURL, f.tokenURL} {
		if text == "" && text == f.tokenURL && f.baseURL != "" {
			continue
		}
		u, err := url.Parse(text)
		if err != nil || u.Host == "" {
			return nil, usage("-base-url and -token-url are addresses such as https://provider.example")
		}
		d.urls = append(d.urls, u)
	}
	var err error
	if d.secret, err = p.secret(name, ref); err != nil {
		return nil, err
	}
	if f.redisPassword != "" {
		if d.redisKey, err = p.secret("redis-password", f.redisPassword); err != nil {
			return nil, err
		}
	}
	if d.crl, err = p.optional("crl", f.crl); err != nil {
		return nil, err
	}
	cfg, err := f.tls.config(p)
	if err != nil {
		return nil, err
	}
	if f.timeout <= 0 {
		return nil, usage("-timeout is positive")
	}
	d.record = &recorder{base: &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}}
	return d, nil
}

// say prints the line of a check.
func (d *doctor) say(name, result, detail string) {
	d.failed = d.failed || result == fail
	if d.flags.json {
		d.line(check{name, result, detail})
		return
	}
	c := map[string]colour{pass: green, warn: yellow, fail: red, skip: dim}[result]
	d.printf("%s  %-12s %s\n", d.paint(d.stdout, c, strings.ToUpper(result)), name, detail)
}

// examine runs every check in order. What cannot be checked because of an
// earlier finding is skipped.
func (d *doctor) examine(ctx context.Context) error {
	well := d.checkURLs()
	if well {
		well = d.checkHosts(ctx)
	}
	d.checkClientCertificate()
	if well {
		d.checkCalls(ctx)
	} else {
		for _, name := range []string{"token", "read", "clock", "limits"} {
			d.say(name, skip, "an earlier check failed")
		}
	}
	d.checkCRL()
	d.checkRedis(ctx)
	switch {
	case d.lost:
		return &failure{code: exitUnreachable}
	case d.failed:
		return errFinding
	}
	return nil
}

// checkURLs demands https, or loopback.
func (d *doctor) checkURLs() bool {
	for _, u := range d.urls {
		problem := ""
		switch {
		case u.Scheme == "http" && !loopback(u.Hostname()):
			problem = "plain http would show the credentials to everybody on the way: use https"
		case u.Scheme != "https" && u.Scheme != "http":
			problem = "the address must begin with https://"
		case u.User != nil:
			problem = "the address holds a user or password: give credentials by the flags"
		case u.RawQuery != "" || u.Fragment != "":
			problem = "the address has a query or a fragment: give it without"
		}
		if problem != "" {
			d.say("url", fail, visible(u.Host)+": "+problem)
			return false
		}
	}
	d.say("url", pass, "the addresses are https, or loopback")
	return true
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
