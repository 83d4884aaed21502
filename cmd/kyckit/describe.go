package main

import (
	"fmt"
	"net/http"

	"github.com/kyckit/kyckit/cafsmartauth"
	"github.com/kyckit/kyckit/cafsmartauth/cafsmartauthtest"
	"github.com/kyckit/kyckit/kyctest"
)

// description is the first line with -json.
type description struct {
	Provider     string `json:"provider"`
	URL          string `json:"url"`
	TokenURL     string `json:"tokenUrl"`
	ClientID     string `json:"clientId"`
	ClientSecret string `json:"clientSecret"`
	Phone        string `json:"phone"`
	Admin        string `json:"admin"`
}

func (p *program) describe(d description, asJSON bool) {
	if asJSON {
		p.line(d)
		return
	}
	names := [2]string{"client id", "client secret"}
	if d.Provider == "kycjwt" {
		names = [2]string{"user name", "password"}
	}
	for _, row := range [][2]string{
		{"provider", d.Provider + " (FAKE, for tests)"},
		{"url", d.URL},
		{"token url", d.TokenURL},
		{names[0], d.ClientID},
		{names[1], d.ClientSecret},
		{"phone", d.Phone},
		{"admin", d.Admin},
	} {
		if row[1] != "" {
			p.printf("%-14s %s\n", row[0], row[1])
		}
	}
	p.printf("\nTry it:\n")
	switch d.Provider {
	case "nafath":
		p.printf("  curl -d grant_type=client_credentials -d client_id=%s -d client_secret=%s %s\n", d.ClientID, d.ClientSecret, d.TokenURL)
		p.printf("  curl -H 'Authorization: Bearer TOKEN' -H 'Content-Type: application/json' -d '{\"nationalId\":\"1000000008\"}' %s/ExtNafath/request\n", d.URL)
	case "faceki":
		p.printf("  curl -H 'Content-Type: application/json' -d '{\"clientId\":%q,\"clientSecret\":%q}' %s\n", d.ClientID, d.ClientSecret, d.TokenURL)
	case "caf":
		p.printf("  printf '%%s' '%s' >secret; kyckit token mint -issuer %s -secret @secret -person 00011122285 -ttl 5m\n", d.ClientSecret, d.ClientID)
	default:
		p.printf("  curl --data-urlencode 'username=%s' --data-urlencode 'password=%s' %s\n", d.ClientID, d.ClientSecret, d.TokenURL)
	}
	p.printf("  curl %s/transactions\n", d.Admin)
}

// deliverer sends what it is given to the webhook's address.
func deliverer(f fake, to string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to == "" {
			kyctest.WriteJSON(w, http.StatusConflict, map[string]string{"error": "the fake was started without -webhook"})
			return
		}
		body, err := readAll(w, r)
		if err != nil {
			kyctest.WriteJSON(w, http.StatusBadRequest, map[string]string{"error": "the body cannot be read"})
			return
		}
		status, err := f.Deliver(r.Context(), "", body)
		if err != nil {
			kyctest.WriteJSON(w, http.StatusBadGateway, map[string]string{"error": "no answer: " + whyUnreachable(err)})
			return
		}
		kyctest.WriteJSON(w, http.StatusOK, map[string]int{"status": status})
	})
}

// attestations plays the SDK in the app.
func attestations(s *cafsmartauthtest.Server) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			AccessToken string                   `json:"accessToken"`
			PersonID    string                   `json:"personId"`
			PolicyID    string                   `json:"policyId"`
			Outcome     cafsmartauthtest.Outcome `json:"outcome"`
		}
		in.Outcome = cafsmartauthtest.Authorized
		body, err := readAll(w, r)
		if err == nil {
			err = decode(body, &in)
		}
		var answer cafsmartauth.Answer
		if err == nil {
			answer, err = s.SDK().VerifyPolicy(in.AccessToken, in.PersonID, in.PolicyID, in.Outcome)
		}
		if err != nil {
			kyctest.WriteJSON(w, http.StatusBadRequest, map[string]string{"error": fmt.Sprintf("%v; outcomes: %v", err, cafsmartauthtest.Outcomes())})
			return
		}
		kyctest.WriteJSON(w, http.StatusOK, answer)
	})
}
