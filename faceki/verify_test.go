package faceki_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/faceki"
	"github.com/kyckit/kyckit/faceki/facekitest"
)

func newFake(t *testing.T, change ...func(*faceki.Config)) (*facekitest.Server, *faceki.Client) {
	t.Helper()
	fake := facekitest.NewServer(facekitest.Config{})
	t.Cleanup(fake.Close)
	cfg := fake.ClientConfig()
	for _, c := range change {
		c(&cfg)
	}
	client, err := faceki.New(cfg)
	require.NoError(t, err)
	return fake, client
}

func jpeg(size int) faceki.Image {
	return faceki.Image{Reader: bytes.NewReader(facekitest.JPEG(size))}
}

func png(size int) faceki.Image {
	return faceki.Image{Reader: bytes.NewReader(facekitest.PNG(size))}
}

func params() faceki.VerifyParams {
	return faceki.VerifyParams{
		WorkflowID: facekitest.WorkflowID,
		Selfie:     jpeg(5000),
		Documents:  []faceki.Document{{Front: png(7000), Back: jpeg(3000)}},
	}
}

func TestVerify(t *testing.T) {
	fake, client := newFake(t)
	p := params()
	p.RecordIdentifier = "order-5117"
	record, err := client.Verify(context.Background(), p)
	require.NoError(t, err)
	require.True(t, record.Decision.Accepted())
	require.Equal(t, "order-5117", record.RecordIdentifier)
	require.NotEmpty(t, record.RequestID)
	require.Equal(t, "company-fake", record.CompanyID)
	require.NotEmpty(t, record.Raw)
	require.Len(t, fake.Uploads(), 1)
}
