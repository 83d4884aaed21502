package authtest

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/kyctest"
)

// json is a token call in the style of FACEKI: credentials as JSON, or as the
// query of a GET, and an envelope around the answer.
func (s *Server) json(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ClientID     string `json:"clientId"`
		ClientSecret string `json:"clientSecret"`
	}
	switch r.Method {
	case http.MethodGet:
		in.ClientID, in.ClientSecret = r.URL.Query().Get("clientId"), r.URL.Query().Get("clientSecret")
	case http.MethodPost:
		if credentialsInQuery(r) || !kyctest.ReadJSON(r, &in) {
			envelopeError(w, http.StatusBadRequest, "the request is not valid")
			return
		}
	default:
		envelopeError(w, http.StatusMethodNotAllowed, "the method is not allowed")
		return
	}
	switch {
	case in.ClientID == "":
		envelopeError(w, http.StatusUnprocessableEntity, "the client id is missing")
	case in.ClientSecret == "":
		envelopeError(w, http.StatusUnprocessableEntity, "the client secret is missing")
	case in.ClientID != s.config.ClientID || in.ClientSecret != s.config.ClientSecret:
		envelopeError(w, http.StatusUnauthorized, "unknown client "+in.ClientID)
	default:
		kyctest.WriteJSON(w, http.StatusOK, map[string]any{"responseCode": 0, "data": s.granted()})
	}
}

func envelopeError(w http.ResponseWriter, status int, message string) {
	kyctest.WriteJSON(w, status, map[string]any{"status": false, "message": message, "statusCode": status, "data": map[string]any{}})
}

// DecodeJSON reads the envelope of [Server.JSONURL], for
// auth.JSONExchangeConfig.Decode.
func DecodeJSON(body []byte) (auth.JSONToken, error) {
	var env struct {
		ResponseCode *int   `json:"responseCode"`
		StatusCode   int    `json:"statusCode"`
		Message      string `json:"message"`
		Data         struct {
			AccessToken string          `json:"access_token"`
			TokenType   string          `json:"token_type"`
			ExpiresIn   json.RawMessage `json:"expires_in"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &env); err != nil || env.ResponseCode == nil && env.StatusCode == 0 {
		return auth.JSONToken{}, errors.New("not the envelope")
	}
	if env.ResponseCode == nil || *env.ResponseCode != 0 {
		kind := kyckit.ErrInvalid
		if env.StatusCode == http.StatusUnauthorized {
			kind = kyckit.ErrUnauthorized
		}
		return auth.JSONToken{}, (&kyckit.Error{Kind: kind}).WithText(env.Message, body)
	}
	return auth.JSONToken{
		Access: kyckit.NewSecret(env.Data.AccessToken), Type: env.Data.TokenType, ExpiresIn: env.Data.ExpiresIn,
	}, nil
}
