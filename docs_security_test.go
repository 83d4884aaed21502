package kyckit_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var namedTest = regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz)[A-Za-z0-9]+)`")

// TestEveryPromiseNamesATest holds each row of SECURITY.md's promises to name
// tests, by package and name, and each named test to exist.
func TestEveryPromiseNamesATest(t *testing.T) {
	text := documents(t)["SECURITY.md"]
	for _, match := range namedTest.FindAllStringSubmatch(text, -1) {
		assert.Truef(t, hasTest(t, match[1], match[2]), "SECURITY.md names %s.%s", match[1], match[2])
	}
	_, promises, found := strings.Cut(text, "\n## Promises\n")
	require.True(t, found)
	promises, _, found = strings.Cut(promises, "\n## ")
	require.True(t, found)
	rows := 0
	for line := range strings.Lines(promises) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| promise ") {
			continue
		}
		rows++
		assert.Regexpf(t, namedTest, line, "a promise without a test")
	}
	assert.Greater(t, rows, 30)
}

// hasTest reports whether a folder's test files have the function.
func hasTest(t *testing.T, pkg, name string) bool {
	t.Helper()
	if pkg == "kyckit" {
		pkg = "."
	}
	files, err := filepath.Glob(filepath.Join(filepath.FromSlash(pkg), "*_test.go"))
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		if strings.Contains(string(text), "\nfunc "+name+"(") {
			return true
		}
	}
	return false
}
