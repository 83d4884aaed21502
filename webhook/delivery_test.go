package webhook

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestDecodeChecksABodyThatHandlePutInPlace(t *testing.T) {
	twice := []byte(`{"id":1,"ID":2}`)
	h := newHandler(t, HandlerConfig{Handle: func(_ context.Context, d *Delivery) error {
		if err := d.Decode(&struct{}{}); err != nil {
			return errors.New("the body itself is fine")
		}
		d.Body = twice // such as what was inside an envelope
		return d.Decode(&struct{}{})
	}})
	assert.Equal(t, http.StatusBadRequest, post(h, `{"envelope":"…"}`).Code)
	assert.Equal(t, http.StatusBadRequest, post(h, `{"abc":1,"d":2}`).Code, "of the same length")
}

func TestKeys(t *testing.T) {
	key := FieldKey("id")
	for body, want := range map[string]string{`{"id":"a"}`: "f:a", `{"id":17}`: "f:17"} {
		assert.Equal(t, want, key(&Delivery{Body: []byte(body)}))
	}
	for _, body := range []string{`{}`, `{"id":""}`, `{"id":null}`, `{"id":{}}`, `[]`, `{"ID":"a"}`} {
		assert.Equal(t, BodyKey(&Delivery{Body: []byte(body)}), key(&Delivery{Body: []byte(body)}), body)
	}
}
