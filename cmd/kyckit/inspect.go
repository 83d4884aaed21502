package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"math"
	"strings"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/webhook"
)

func inspectCommand() command {
	return command{
		name: "token inspect", args: "@file|-", summary: "decode a token and judge its expiry and algorithm",
		about: "It prints the header and the claims, never the signature. A token that is expired, unsigned, of another\n" +
			"algorithm than HS256, or signed with another secret than -secret, is a negative finding.",
		example: []string{"kyckit token inspect @token", "pbpaste | kyckit token inspect -secret env:CAF_SECRET -"},
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			ref := fs.String("secret", "", "check the signature with this secret, "+refUsage)
			asJSON := fs.Bool("json", false, "print JSON")
			return func(_ context.Context, args []string) error {
				token, err := p.token(args)
				if err != nil {
					return err
				}
				var secret kyckit.Secret
				if *ref != "" {
					if secret, err = p.secret("secret", *ref); err != nil {
						return err
					}
				}
				return p.inspect(token, secret, *asJSON)
			}
		},
	}
}

// token reads the token that the argument refers to.
func (p *program) token(args []string) (string, error) {
	ref, err := one(args, "@file or - with the token")
	if err != nil {
		return "", err
	}
	if ref != "-" && !strings.HasPrefix(ref, "@") {
		return "", usage("a token is @file or -, never an argument: other users of the machine can see arguments")
	}
	raw, err := p.content("token", ref, maxSecret)
	if err != nil {
		return "", err
	}
	return strings.TrimPrefix(strings.TrimSpace(string(raw)), "Bearer "), nil
}

// inspected is what inspect prints.
type inspected struct {
	Result    string          `json:"result"`
	Reasons   []string        `json:"reasons,omitempty"`
	Header    json.RawMessage `json:"header,omitempty"`
	Claims    json.RawMessage `json:"claims,omitempty"`
	Expires   string          `json:"expires,omitempty"`
	Life      string          `json:"life,omitempty"`
	Signature string          `json:"signature"`
}

func (p *program) inspect(token string, secret kyckit.Secret, asJSON bool) error {
	out := judge(token, secret, time.Now())
	out.Result = "ok"
	if len(out.Reasons) > 0 {
		out.Result = "refused"
	}
	if asJSON {
		p.line(out)
	} else {
		for _, part := range []struct {
			name string
			raw  json.RawMessage
		}{{"header", out.Header}, {"claims", out.Claims}} {
			if part.raw != nil {
				p.printf("%-10s %s\n", part.name, part.raw)
			}
		}
		if out.Expires != "" {
			p.printf("%-10s %s, %s\n", "expires", out.Expires, out.Life)
		}
		p.printf("%-10s %s\n", "signature", out.Signature)
		c := green
		if out.Result != "ok" {
			c = red
		}
		p.printf("%-10s %s\n", "result", p.paint(p.stdout, c, strings.Join(append([]string{out.Result}, out.Reasons...), ": ")))
	}
	if out.Result != "ok" {
		return errFinding
	}
	return nil
}

// judge decodes a token and says what is wrong with it.
func judge(token string, secret kyckit.Secret, now time.Time) inspected {
	out := inspected{Signature: "not there"}
	wrong := func(reason string) { out.Reasons = append(out.Reasons, reason) }
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		wrong("this is no token: a token has three parts")
		return out
	}
	var header struct {
		Alg string `json:"alg"`
	}
	if out.Header = part(parts[0], &header); out.Header == nil {
		wrong("the header is not base64url of a JSON object")
	}
	var claims struct {
		Exp *float64 `json:"exp"`
		Iat *float64 `json:"iat"`
		Nbf *float64 `json:"nbf"`
	}
	if out.Claims = part(parts[1], &claims); out.Claims == nil {
		wrong("the claims are not base64url of a JSON object")
	}
	if len(out.Reasons) > 0 {
		return out
	}
	judgeSignature(&out, parts, header.Alg, secret)
	switch exp, ok := moment(claims.Exp); {
	case claims.Exp == nil:
		wrong("there is no exp: the token would never end")
	case !ok:
		wrong("exp is no time")
	default:
		out.Expires = exp.UTC().Format(time.RFC3339)
		left := exp.Sub(now).Round(time.Second)
		if out.Life = "in " + left.String(); left <= 0 {
			out.Life = (-left).String() + " ago"
			wrong("the token is expired")
		} else if *claims.Exp > 1e11 {
			wrong("exp is in milliseconds; it must be in seconds")
		}
	}
	for name, at := range map[string]*float64{"iat": claims.Iat, "nbf": claims.Nbf} {
		if t, ok := moment(at); ok && t.After(now.Add(time.Minute)) {
			wrong(name + " is in the future")
		}
	}
	return out
}

func judgeSignature(out *inspected, parts []string, alg string, secret kyckit.Secret) {
	wrong := func(reason string) { out.Reasons = append(out.Reasons, reason) }
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	switch {
	case strings.EqualFold(alg, "none"):
		out.Signature = "none"
		wrong("alg is none: nobody has signed it")
	case parts[2] == "":
		wrong("the signature is missing")
	case alg != "HS256":
		out.Signature = "of another algorithm"
		wrong("alg is not HS256: a foreign signature")
	case err != nil || len(signature) != sha256.Size:
		out.Signature = "malformed"
		wrong("the signature is none of HS256: a foreign signature")
	case secret.IsZero():
		out.Signature = "HS256, not checked without -secret"
	default:
		mac := hmac.New(sha256.New, []byte(secret.Reveal()))
		mac.Write([]byte(parts[0] + "." + parts[1]))
		out.Signature = "HS256, right"
		if !hmac.Equal(mac.Sum(nil), signature) {
			out.Signature = "HS256, made with another secret"
			wrong("the signature is foreign: made with another secret, or the token was changed")
		}
	}
}

// part decodes a part of a token into v and returns its JSON, in which nothing
// can change a terminal; nil when it is no JSON object.
func part(text string, v any) json.RawMessage {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || webhook.DecodeStrict(raw, v) != nil {
		return nil
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil || object == nil {
		return nil
	}
	return printable(raw)
}

// printable escapes in compact JSON what a terminal would act on.
func printable(raw []byte) json.RawMessage {
	var v json.RawMessage
	if json.Unmarshal(raw, &v) != nil {
		return nil
	}
	compact, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return json.RawMessage(strings.ReplaceAll(visible(string(compact)), `\U`, `\ufffd\u`))
}

// moment is the time of a numeric claim.
func moment(n *float64) (time.Time, bool) {
	if n == nil || math.IsNaN(*n) || math.Abs(*n) > 1e14 {
		return time.Time{}, false
	}
	if *n > 1e11 {
		return time.UnixMilli(int64(*n)), true
	}
	return time.Unix(int64(*n), 0), true
}
