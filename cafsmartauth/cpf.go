package cafsmartauth

// CPFForm is how a CPF is written in what this package sends: the personId of
// tokens and of new identities.
type CPFForm int

// The forms. Whatever the form, input that is not a CPF is refused.
const (
	// CPFDigits sends the 11 bare digits. It is the default.
	CPFDigits CPFForm = iota
	// CPFPunctuated sends ddd.ddd.ddd-dd, as the provider's identity sample
	// shows.
	CPFPunctuated
	// CPFAsGiven sends what the caller gave, once it is known to be a CPF.
	CPFAsGiven
)

// cpfDigits is how many digits a CPF has.
const cpfDigits = 11

// digits appends the 11 digits of a CPF to b. Punctuation is removed where it
// belongs: dots after the third and the sixth digit and a dash after the ninth,
// each of them optional. Anything else, digits of other scripts and white space
// included, is refused. Leading zeros are part of the number.
func digits(b []byte, cpf string) (_ []byte, ok bool) {
	i := 0
	for n := range cpfDigits {
		if i < len(cpf) && (cpf[i] == '.' && (n == 3 || n == 6) || cpf[i] == '-' && n == 9) {
			i++
		}
		if i == len(cpf) || cpf[i]-'0' > 9 {
			return nil, false
		}
		b = append(b, cpf[i])
		i++
	}
	return b, i == len(cpf)
}

// normalise is digits as a string. A CPF of bare digits is returned as it is,
// without a copy.
func normalise(cpf string) (string, bool) {
	var room [cpfDigits]byte
	d, ok := digits(room[:0], cpf)
	switch {
	case !ok:
		return "", false
	case len(cpf) == cpfDigits:
		return cpf, true
	default:
		return string(d), true
	}
}

// punctuate writes 11 digits as ddd.ddd.ddd-dd.
func punctuate(digits string) string {
	return digits[:3] + "." + digits[3:6] + "." + digits[6:9] + "-" + digits[9:]
}

// checkDigits reports whether the last two of 11 digits follow from the first
// nine. Numbers of one repeated digit pass the arithmetic but are never issued.
func checkDigits(digits string) bool {
	repeated := true
	for i := 1; i < cpfDigits; i++ {
		repeated = repeated && digits[i] == digits[0]
	}
	return !repeated && checkDigit(digits[:9]) == digits[9] && checkDigit(digits[:10]) == digits[10]
}

// checkDigit is the digit that follows the given ones: their sum, weighted from
// len+1 down to 2, modulo 11, taken from 11; 10 and 11 become 0.
func checkDigit(digits string) byte {
	sum := 0
	for i := range len(digits) {
		sum += int(digits[i]-'0') * (len(digits) + 1 - i)
	}
	if r := sum % 11; r >= 2 {
		return byte('0' + 11 - r)
	}
	return '0'
}

// cpfRoom is room for a CPF in any form.
type cpfRoom [cpfDigits + 3]byte

// person appends a CPF in the configured form to b, and says why it is refused.
// The reason never quotes the number.
func (c *Client) person(b []byte, cpf string) (_ []byte, reason string) {
	b, ok := digits(b, cpf)
	switch {
	case !ok:
		return nil, "is not a CPF of 11 digits"
	case c.checkCPF && !checkDigits(string(b)):
		return nil, "is a CPF with wrong check digits"
	}
	switch c.cpfForm {
	case CPFPunctuated:
		return append(b[:0], punctuate(string(b))...), ""
	case CPFAsGiven:
		return append(b[:0], cpf...), ""
	default:
		return b, ""
	}
}
