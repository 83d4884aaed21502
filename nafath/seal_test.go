package nafath_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/nafath"
)

// key is a sealing key that is no readable text.
func key(b byte) kyckit.Secret { return kyckit.NewSecret(strings.Repeat(string([]byte{b, 0x9c}), 16)) }

const row = "session-1"

var sample = nafath.Transaction{TransID: "t-1", Random: "07", NationalID: citizen, CreatedAt: time.Unix(1_700_000_000, 0).UTC()}

func TestSeal(t *testing.T) {
	old, err := nafath.NewSealer(key('a'))
	require.NoError(t, err)
	rotated, err := nafath.NewSealer(key('b'), key('a'))
	require.NoError(t, err)

	text, err := old.Seal(sample, row)
	require.NoError(t, err)
	again, err := old.Seal(sample, row)
	require.NoError(t, err)
	assert.NotEqual(t, text, again)
	assert.NotContains(t, text, citizen)
	tx, err := rotated.Open(text, row)
	require.NoError(t, err, "an old key still opens")
	assert.Equal(t, sample, tx)

	text, err = rotated.Seal(sample, row)
	require.NoError(t, err)
	_, err = old.Open(text, row)
	require.ErrorIs(t, err, kyckit.ErrInvalid)

	for i := range len(text) {
		changed := []byte(text)
		changed[i] ^= 1
		_, err := rotated.Open(string(changed), row)
		require.ErrorIs(t, err, kyckit.ErrInvalid, "byte %d", i)
	}
	for _, bad := range []string{"", "nafath1.", "nafath2." + text[8:], text + "A", text[:len(text)-1], text + "\n", text[:20] + "\r\n" + text[20:], strings.Repeat("A", 1<<20)} {
		_, err := rotated.Open(bad, row)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
	}
	for _, v := range []any{old, *old} {
		assert.NotContains(t, fmt.Sprintf("%+v %#v", v, v), key('a').Reveal())
	}
}

func TestSealerKeys(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "short": "short", "33 bytes": key('a').Reveal() + "\x9c", "zero": strings.Repeat("\x00", 32),
		"a password": "correct horse battery staple 123", "hex": "000102030405060708090a0b0c0d0e0f", "base64": "AAECAwQFBgcICQoLDA0ODxAREhMUFQ==",
		"lines": "first line\r\nsecond line\tthird\n\n\n", "another script": "كلمة السر هذه طو",
	} {
		_, err := nafath.NewSealer(kyckit.NewSecret(text))
		require.ErrorIs(t, err, kyckit.ErrInvalid, name)
		_, err = nafath.NewSealer(key('a'), kyckit.NewSecret(text))
		require.ErrorIs(t, err, kyckit.ErrInvalid, name)
	}
	_, err := nafath.NewSealer()
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	for range 1000 {
		random := make([]byte, 32)
		_, _ = rand.Read(random)
		_, err := nafath.NewSealer(kyckit.NewSecret(string(random)))
		require.NoError(t, err)
	}
	for _, s := range []*nafath.Sealer{nil, {}} {
		_, err := s.Seal(sample, row)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		_, err = s.Open("nafath1.AAAA", row)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
	}
}

// A text that is copied to another row opens for nobody.
func TestASealedTextBelongsToItsOwner(t *testing.T) {
	s, err := nafath.NewSealer(key('a'))
	require.NoError(t, err)
	for _, owner := range []string{"", row, "row-2/login", strings.Repeat("o", 1<<20)} {
		text, err := s.Seal(sample, owner)
		require.NoError(t, err)
		tx, err := s.Open(text, owner)
		require.NoError(t, err)
		assert.Equal(t, sample, tx)
		for _, other := range []string{"", "session-2", owner + " ", "nafath1." + owner} {
			if other != owner {
				_, err = s.Open(text, other)
				require.ErrorIs(t, err, kyckit.ErrInvalid)
			}
		}
	}
}

// What Seal returns, Open gives back: nothing that is stored is lost.
func TestSealRefusesWhatOpenWould(t *testing.T) {
	s, err := nafath.NewSealer(key('a'))
	require.NoError(t, err)
	for name, change := range map[string]func(*nafath.Transaction){
		"too large":        func(tx *nafath.Transaction) { tx.TransID = strings.Repeat("t", 64<<10) },
		"large in JSON":    func(tx *nafath.Transaction) { tx.TransID = strings.Repeat("\x00", 16<<10) },
		"TransID no text":  func(tx *nafath.Transaction) { tx.TransID = "t\xff" },
		"Random no text":   func(tx *nafath.Transaction) { tx.Random = "\xc3\x28" },
		"id no text":       func(tx *nafath.Transaction) { tx.NationalID = "\x80" },
		"year 10000":       func(tx *nafath.Transaction) { tx.CreatedAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"year -1":          func(tx *nafath.Transaction) { tx.CreatedAt = time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC) },
		"a strange offset": func(tx *nafath.Transaction) { tx.CreatedAt = tx.CreatedAt.In(time.FixedZone("x", 25*3600)) },
	} {
		tx := sample
		change(&tx)
		_, err := s.Seal(tx, row)
		require.ErrorIs(t, err, kyckit.ErrInvalid, name)
	}
	for length := 48<<10 - 300; length < 48<<10; length++ { // across the limit
		tx := sample
		tx.TransID = strings.Repeat("t", length)
		if text, err := s.Seal(tx, row); err == nil {
			back, err := s.Open(text, row)
			require.NoError(t, err, length)
			assert.Equal(t, tx, back)
		}
	}
}

func FuzzOpen(f *testing.F) {
	s, err := nafath.NewSealer(key('a'))
	require.NoError(f, err)
	good, err := s.Seal(sample, row)
	require.NoError(f, err)
	for _, seed := range []string{good, "", "nafath1.AAAA", "nafath1.====", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if tx, err := s.Open(text, row); err == nil && tx != sample {
			t.Fatal("opened what was never sealed")
		}
	})
}
