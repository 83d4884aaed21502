package nafath_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/nafath"
)

func key(b byte) kyckit.Secret { return kyckit.NewSecret(strings.Repeat(string(rune(b)), 32)) }

var sample = nafath.Transaction{TransID: "t-1", Random: "07", NationalID: citizen, CreatedAt: time.Unix(1_700_000_000, 0).UTC()}

func TestSeal(t *testing.T) {
	old, err := nafath.NewSealer(key('a'))
	require.NoError(t, err)
	rotated, err := nafath.NewSealer(key('b'), key('a'))
	require.NoError(t, err)

	text, err := old.Seal(sample)
	require.NoError(t, err)
	again, err := old.Seal(sample)
	require.NoError(t, err)
	assert.NotEqual(t, text, again)
	assert.NotContains(t, text, citizen)
	tx, err := rotated.Open(text)
	require.NoError(t, err, "an old key still opens")
	assert.Equal(t, sample, tx)

	text, err = rotated.Seal(sample)
	require.NoError(t, err)
	_, err = old.Open(text)
	require.ErrorIs(t, err, kyckit.ErrInvalid)

	for i := range len(text) {
		changed := []byte(text)
		changed[i] ^= 1
		_, err := rotated.Open(string(changed))
		require.ErrorIs(t, err, kyckit.ErrInvalid, "byte %d", i)
	}
	for _, bad := range []string{"", "nafath1.", "nafath2." + text[8:], text + "A", text[:len(text)-1], text + "\n", text[:20] + "\r\n" + text[20:], strings.Repeat("A", 1<<20)} {
		_, err := rotated.Open(bad)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
	}
	for _, v := range []any{old, *old} {
		assert.NotContains(t, fmt.Sprintf("%+v %#v", v, v), strings.Repeat("a", 32))
	}
}

func TestSealerKeys(t *testing.T) {
	for _, keys := range [][]kyckit.Secret{nil, {kyckit.NewSecret("")}, {kyckit.NewSecret("short")}, {key('a'), kyckit.NewSecret(strings.Repeat("x", 33))}} {
		_, err := nafath.NewSealer(keys...)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
	}
	for _, s := range []*nafath.Sealer{nil, {}} {
		_, err := s.Seal(sample)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		_, err = s.Open("nafath1.AAAA")
		require.ErrorIs(t, err, kyckit.ErrInvalid)
	}
}

func FuzzOpen(f *testing.F) {
	s, err := nafath.NewSealer(key('a'))
	require.NoError(f, err)
	good, err := s.Seal(sample)
	require.NoError(f, err)
	for _, seed := range []string{good, "", "nafath1.AAAA", "nafath1.====", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if tx, err := s.Open(text); err == nil && tx != sample {
			t.Fatal("opened what was never sealed")
		}
	})
}
