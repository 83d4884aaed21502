package faceki_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/faceki"
)

func TestAClientThatNewDidNotMakeIsRefused(t *testing.T) {
	for _, c := range []*faceki.Client{nil, {}} {
		refusesAll(t, c)
	}
}

func refusesAll(t *testing.T, c *faceki.Client) {
	t.Helper()
	_, err := c.Confirm(t.Context(), faceki.Event{RequestID: "r1"})
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	_, err = c.VerifyAndFetch(t.Context(), faceki.VerifyParams{
		WorkflowID: "w1", Selfie: jpeg(2000), Documents: []faceki.Document{{Front: jpeg(2000)}},
	})
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	_, err = c.CreateLink(t.Context(), faceki.LinkParams{WorkflowID: "w1", Expiry: time.Hour})
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	_, err = c.Records(t.Context(), faceki.RecordFilter{RequestID: "r1"})
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	_, err = c.WorkflowRules(t.Context(), "w1")
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	require.ErrorContains(t, err, "not made by New")
	_, err = c.SearchByFace(t.Context(), jpeg(2000))
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	_, err = c.Verify(t.Context(), faceki.VerifyParams{
		WorkflowID: "w1", Selfie: jpeg(2000), Documents: []faceki.Document{{Front: jpeg(2000)}},
	})
	require.ErrorIs(t, err, kyckit.ErrInvalid)
}
