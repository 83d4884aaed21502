package main

import (
	"errors"
	"io"
	"net/http"

	"github.com/kyckit/kyckit/webhook"
)

// maxAdmin bounds the body of a request to a server of this program.
const maxAdmin = 1 << 20

func readAll(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	return io.ReadAll(http.MaxBytesReader(w, r.Body, maxAdmin))
}

func decode(body []byte, v any) error {
	if webhook.DecodeStrict(body, v) != nil {
		return errors.New("the body is not the JSON it should be")
	}
	return nil
}
