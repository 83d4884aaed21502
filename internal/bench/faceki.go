package main

import (
	"bytes"
	"context"
	"io"
	"mime/multipart"
	"net/http"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/faceki"
	"github.com/kyckit/kyckit/faceki/facekitest"
)

// upload measures what it costs to send an image of 20 MiB as multipart, memory
// first of all. The network reads and forgets.
func upload() ([]group, error) {
	network := answering{[]byte(`{"status":true,"code":200,"message":"OK","result":{"requestId":"r-1","decision":"ACCEPTED"}}`)}
	client, err := faceki.New(faceki.Config{
		BaseURL: callURL, Auth: auth.Static(kyckit.NewSecret("token")),
		HTTP: kyckit.HTTP{Client: &http.Client{Transport: network}},
	})
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	selfie, front := facekitest.JPEG(20<<20), facekitest.PNG(1000)
	verify := func(img io.Reader) error {
		_, err := client.Verify(ctx, faceki.VerifyParams{
			WorkflowID: "w", Selfie: faceki.Image{Reader: img},
			Documents: []faceki.Document{{Front: faceki.Image{Reader: bytes.NewReader(front)}}},
		})
		return err
	}
	send := func(body io.Reader, contentType string) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, callURL, body)
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", contentType)
		resp, err := (&http.Client{Transport: network}).Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	write := func(mw *multipart.Writer) error {
		for name, img := range map[string][]byte{"selfie": selfie, "document_1_front": front} {
			part, err := mw.CreateFormFile(name, name+".jpg")
			if err != nil {
				return err
			}
			if _, err := io.Copy(part, struct{ io.Reader }{bytes.NewReader(img)}); err != nil {
				return err
			}
		}
		return mw.Close()
	}
	return []group{{
		name: "upload", title: "an image of 20 MiB as multipart, over a transport that reads and forgets it",
		variants: []variant{
			loop("mime/multipart through io.Pipe, by hand", func() error {
				r, w := io.Pipe()
				mw := multipart.NewWriter(w)
				go func() { _ = w.CloseWithError(write(mw)) }()
				return send(r, mw.FormDataContentType())
			}),
			loop("mime/multipart into a buffer, as usual", func() error {
				var b bytes.Buffer
				mw := multipart.NewWriter(&b)
				if err := write(mw); err != nil {
					return err
				}
				return send(&b, mw.FormDataContentType())
			}),
			loop("kyckit faceki.Verify, reader that seeks", func() error { return verify(bytes.NewReader(selfie)) }),
			loop("kyckit faceki.Verify, stream", func() error { return verify(struct{ io.Reader }{bytes.NewReader(selfie)}) }),
		},
	}}, nil
}
