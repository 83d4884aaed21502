package auth_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/auth/authtest"
)

func ExampleNewClientCredentials() {
	server := authtest.NewServer(authtest.Config{}) // in place of the provider
	defer server.Close()

	source, err := auth.NewClientCredentials(auth.ClientCredentialsConfig{
		TokenURL:     server.TokenURL(),
		ClientID:     "test-client",
		ClientSecret: kyckit.NewSecret("test-secret"),
		HTTP:         server.HTTP(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	token, err := source.Token(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(token.Type, server.Living(token.Access.Reveal()))
	fmt.Println("printed:", token)
	// Output:
	// Bearer true
	// printed: [redacted]
}

func ExampleNewTransport() {
	server := authtest.NewServer(authtest.Config{})
	defer server.Close()
	source, err := server.PasswordLogin(auth.Tuning{})
	if err != nil {
		fmt.Println(err)
		return
	}
	client := &http.Client{Transport: auth.NewTransport(server.Client().Transport, source)}
	for _, message := range []string{"hello", "still here"} {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, server.ResourceURL(), strings.NewReader(message))
		if err != nil {
			fmt.Println(err)
			return
		}
		resp, err := client.Do(req)
		if err != nil {
			fmt.Println(err)
			return
		}
		echo, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		fmt.Println(resp.StatusCode, string(echo))
		server.RevokeTokens() // the second call logs in again, unseen
	}
	fmt.Println("logins:", server.Exchanges())
	// Output:
	// 200 hello
	// 200 still here
	// logins: 2
}

func ExampleNewPasswordLogin_refused() {
	server := authtest.NewServer(authtest.Config{})
	defer server.Close()
	source, err := auth.NewPasswordLogin(auth.PasswordLoginConfig{
		LoginURL: server.LoginURL(), Username: "tester@example.test", Password: kyckit.NewSecret("mistyped"), HTTP: server.HTTP(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 { // only the first reaches the provider
		_, err = source.Token(context.Background())
	}
	var e *kyckit.Error
	fmt.Println(errors.Is(err, kyckit.ErrUnauthorized), errors.As(err, &e) && e.Code == "LOGIN_BAD_CREDENTIALS", server.Exchanges())
	// Output: true true 1
}

func ExampleMinter_Mint() {
	minter, err := auth.NewMinter(auth.MinterConfig{Issuer: "your-client-id", Secret: kyckit.NewSecret("your-client-secret")})
	if err != nil {
		fmt.Println(err)
		return
	}
	token, err := minter.Mint("12345678901", 15*time.Minute)
	fmt.Println(strings.Count(token.Access.Reveal(), "."), err)
	_, err = minter.Mint("12345678901", 48*time.Hour)
	fmt.Println(err)
	// Output:
	// 2 <nil>
	// auth: mint: invalid: ttl is above MaxTTL
}
