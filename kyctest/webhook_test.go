package kyctest_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/kyctest"
)

// named signs with the id alone.
type named struct{}

func (named) Sign(r *http.Request, id string, _ time.Time, _ []byte) error {
	r.Header.Set("X-Id", id)
	return nil
}

func TestDeliver(t *testing.T) {
	receiver := kyctest.NewServer(kyctest.Options{})
	defer receiver.Close()
	receiver.Handle("/hook", "hook", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	s := kyctest.NewServer(kyctest.Options{Webhook: kyctest.Webhook{URL: receiver.URL + "/hook", Method: http.MethodPut, Signer: named{}}})
	defer s.Close()

	for range 2 {
		status, err := s.Deliver(t.Context(), "", []byte(`{"a":1}`))
		require.NoError(t, err)
		assert.Equal(t, http.StatusAccepted, status)
	}
	status, err := s.Deliver(t.Context(), receiver.URL+"/elsewhere", []byte(`{"a":2}`))
	require.NoError(t, err)
	assert.Equal(t, http.StatusNotFound, status)
	_, err = s.Deliver(t.Context(), "", nil)
	require.Error(t, err, "no event")
	_, err = s.Deliver(t.Context(), "http://127.0.0.1:1/", []byte("{}"))
	require.Error(t, err, "nobody listens")

	all := receiver.Requests("")
	require.Len(t, all, 3)
	assert.Equal(t, http.MethodPut, all[0].Method)
	assert.Equal(t, "application/json", all[0].Header.Get("Content-Type"))
	assert.Equal(t, all[0].Header.Get("X-Id"), all[1].Header.Get("X-Id"), "a duplicate has the id of the first")
	assert.NotEqual(t, all[0].Header.Get("X-Id"), all[2].Header.Get("X-Id"))
}

func TestSendLosesRepeatsAndHoldsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		receiver := kyctest.NewServer(kyctest.Options{InMemory: true})
		defer receiver.Close()
		receiver.Handle("POST /hook", "hook", func(http.ResponseWriter, *http.Request) {})
		s := kyctest.NewServer(kyctest.Options{InMemory: true, Webhook: kyctest.Webhook{
			URL: receiver.URL + "/hook", Client: receiver.Client(), Delay: time.Second,
			Lose:   func(n int) bool { return n == 1 },
			Repeat: func(n int) int { return n - 2 },
			Late:   func(n int) time.Duration { return time.Minute / time.Duration(n) },
		}})
		for _, body := range []string{"1", "2", "3"} {
			s.Send([]byte(body))
		}
		began := time.Now()
		s.Close()
		assert.Equal(t, 31*time.Second, time.Since(began), "Close waits for what is on its way")
		s.Send([]byte("4"))
		time.Sleep(time.Hour)
		var got []string
		for _, r := range receiver.Requests("hook") {
			got = append(got, string(r.Body))
		}
		assert.Equal(t, []string{"3", "3", "2"}, got)
	})
}

func TestSendWithoutAnAddressSendsNothing(_ *testing.T) {
	s := kyctest.NewServer(kyctest.Options{})
	s.Send([]byte("x"))
	s.Close()
}
