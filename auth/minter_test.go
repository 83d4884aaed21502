package auth_test

import (
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
)

func TestMintedTokenIsReadByAnotherLibrary(t *testing.T) {
	m, err := auth.NewMinter(auth.MinterConfig{Issuer: "invented-client", Secret: kyckit.NewSecret("invented-secret")})
	require.NoError(t, err)
	for _, person := range []string{"7", "12345678901", "529.982.247-25"} {
		tok, err := m.Mint(person, time.Hour)
		require.NoError(t, err)
		claims := jwt.MapClaims{}
		_, err = jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired()).
			ParseWithClaims(tok.Access.Reveal(), claims, func(*jwt.Token) (any, error) { return []byte("invented-secret"), nil })
		require.NoError(t, err)
		assert.Equal(t, jwt.MapClaims{"iss": "invented-client", "exp": float64(tok.Expiry.Unix()), "personId": person}, claims)
	}
}
