package cafsmartauth

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
)

func TestNormaliseTakesBareAndPunctuated(t *testing.T) {
	for in, out := range map[string]string{
		"11144477735":    "11144477735",
		"111.444.777-35": "11144477735",
		"111444777-35":   "11144477735",
		"111.444.77735":  "11144477735",
		"000.111.222-33": "00011122233",
		"00000000000":    "00000000000",
	} {
		got, ok := normalise(in)
		assert.Truef(t, ok, in)
		assert.Equal(t, out, got)
	}
}

// wrongCPFs are CPFs of every wrong form.
var wrongCPFs = []string{
	"", " ", "0", "000111222", "1114447773", "111444777355", "111.444.777-3", "111.444.777-355",
	" 11144477735", "11144477735 ", "111 444 777 35", "11144477735\n", "\x0011144477735",
	"111-444-777.35", "11.1444.777-35", "111..444.777-5", "111.444..777-35", ".11144477735", "11144477735-", "111.444.777--35",
	"-11144477735", "+11144477735", "1.11444777e10", "0x144477735a", "1114447773a", "111,444,777-35", "111/444/777-35",
	"١١١٤٤٤٧٧٧٣٥", "１１１４４４７７７３５", "१११४४४७७७३५", "1114447773٥", "111.444.777‑35", "111․444․777-35", "11144477735\u200b",
	"\xff1144477735", `11144477"35`, `{"$ne":null}`, "../11144477735", strings.Repeat("1", 1<<20),
}

func TestEveryWrongFormOfACPFIsRefused(t *testing.T) {
	c := newClient(t)
	for _, in := range wrongCPFs {
		_, ok := normalise(in)
		assert.Falsef(t, ok, "%.30q", in)
		_, err := c.Mint(in, time.Minute)
		require.ErrorIsf(t, err, kyckit.ErrInvalid, "%.30q", in)
		assert.Equal(t, "cafsmartauth: mint: invalid: personID is not a CPF of 11 digits", err.Error())
	}
}

func TestCheckDigits(t *testing.T) {
	for _, in := range []string{"95236098076", "11144477735", "22233366638", "28001238938", "52998224725", "00011122285"} {
		assert.True(t, checkDigits(in), in)
	}
	for _, in := range []string{"00011122233", "11111111111", "00000000000", "99999999999", "11144477736", "11144477753", "52998224752"} {
		assert.False(t, checkDigits(in), in)
	}
	// Exactly one of the hundred endings is right.
	for _, first := range []string{"123456789", "987654321", "000000001"} {
		right := 0
		for i := range 100 {
			if checkDigits(first + string([]byte{byte('0' + i/10), byte('0' + i%10)})) {
				right++
			}
		}
		assert.Equal(t, 1, right)
	}
}

func TestCheckDigitsAreCheckedByOptionOnly(t *testing.T) {
	_, err := newClient(t).Mint("000.111.222-33", time.Minute)
	require.NoError(t, err)
	strict := newClient(t, func(c *Config) { c.CheckCPF = true })
	_, err = strict.Mint("000.111.222-33", time.Minute)
	require.ErrorIs(t, err, kyckit.ErrInvalid)
	assert.Contains(t, err.Error(), "check digits")
	_, err = strict.Mint("000.111.222-85", time.Minute)
	require.NoError(t, err)
}

func TestNormaliseAllocatesNothingForBareDigits(t *testing.T) {
	long := strings.Repeat("1", 1<<20)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		normalise(testCPF)
		normalise(long)
	}))
}

func FuzzNormalise(f *testing.F) {
	f.Add("111.444.777-35")
	f.Add("11144477735")
	for _, s := range wrongCPFs[:len(wrongCPFs)-1] {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		digits, ok := normalise(in)
		if !ok {
			return
		}
		require.Len(t, digits, 11)
		// What is accepted is the digits and nothing but marks left out.
		require.Equal(t, digits, strings.NewReplacer(".", "", "-", "").Replace(in))
		again, ok := normalise(punctuate(digits))
		require.True(t, ok)
		require.Equal(t, digits, again)
		for i := range digits {
			require.True(t, digits[i] >= '0' && digits[i] <= '9')
		}
		if checkDigits(digits) {
			other := []byte(digits)
			other[10] = '0' + (other[10]-'0'+1)%10
			require.False(t, checkDigits(string(other)), "two last digits cannot both be right")
		}
	})
}
