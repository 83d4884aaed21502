package upload_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/kyckit/kyckit/internal/upload"
)

func TestCleanName(t *testing.T) {
	for name, want := range map[string][2]string{
		"scan.pdf":                        {"scan", ".pdf"},
		`C:\Users\Noura\Desktop\id 1.PNG`: {"id1", ".PNG"},
		"/home/noura/../passport.jpg":     {"passport", ".jpg"},
		"../../etc/passwd":                {"passwd", ""},
		"a\"b\r\nX-Header: 1.jpg":         {"abX-Header1", ".jpg"},
		"جواز.pdf":                        {"", ".pdf"},
		"..":                              {"", ""},
		"...":                             {"", ""},
		"":                                {"", ""},
		"/":                               {"", ""},
		".pdf":                            {"", ".pdf"},
		"archive.tar.gz":                  {"archive.tar", ".gz"},
		"x." + strings.Repeat("e", 100):   {"x", "." + strings.Repeat("e", 15)},
		strings.Repeat("n", 100) + ".a":   {strings.Repeat("n", 64), ".a"},
	} {
		base, ext := upload.CleanName(name)
		assert.Equal(t, want, [2]string{base, ext}, "%q", name)
	}
}
