package kyckit_test

import (
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// documents returns the Markdown files of the repository by their paths from
// its root, and llms.txt.
func documents(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch base := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(base, ".") && base != ".github" || base == "node_modules"):
			return filepath.SkipDir
		case d.IsDir(), !strings.HasSuffix(base, ".md") && base != "llms.txt":
			return nil
		}
		text, err := os.ReadFile(name)
		found[filepath.ToSlash(name)] = string(text)
		return err
	}))
	require.Contains(t, found, "README.md")
	return found
}

// TestDocumentedGoCompiles finds every Go block of every document in a Go file
// of the repository, word for word but for indentation, so that it compiles:
// most in Examples and in files named docs_*_test.go or readme_test.go.
func TestDocumentedGoCompiles(t *testing.T) {
	var code strings.Builder
	require.NoError(t, filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") {
			return err
		}
		text, err := os.ReadFile(name)
		code.WriteString(squeeze(string(text)))
		return err
	}))
	all := code.String()
	blocks := 0
	for name, text := range documents(t) {
		for _, block := range fenced(text, "go") {
			blocks++
			if !strings.Contains(all, squeeze(block)) {
				t.Errorf("%s has a Go block that is in no Go file:\n%s", name, block)
			}
		}
	}
	assert.NotZero(t, blocks)
}

// fenced returns the fenced blocks of a document in a language.
func fenced(text, language string) []string {
	var blocks []string
	for _, part := range strings.Split("\n"+text, "\n```"+language+"\n")[1:] {
		block, _, _ := strings.Cut(part, "\n```")
		blocks = append(blocks, block+"\n")
	}
	return blocks
}

var (
	markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	codeBlock    = regexp.MustCompile("(?ms)^```.*?^```$")
	heading      = regexp.MustCompile(`(?m)^#+ +(.+)$`)
)

// TestDocumentedLinksLead follows every link: to a file or folder of the
// repository and to a heading in it, to a package's page if the package exists.
// Links to elsewhere must be https; whether somebody answers is not asked.
func TestDocumentedLinksLead(t *testing.T) {
	docs := documents(t)
	for name, text := range docs {
		for _, match := range markdownLink.FindAllStringSubmatch(codeBlock.ReplaceAllString(text, ""), -1) {
			link, err := url.Parse(match[1])
			if !assert.NoErrorf(t, err, "%s links to %s", name, match[1]) {
				continue
			}
			target := name
			switch {
			case link.Host == "pkg.go.dev" && strings.HasPrefix(link.Path, "/"+module):
				assert.DirExistsf(t, "."+strings.TrimPrefix(link.Path, "/"+module), "%s links to %s", name, match[1])
				continue
			case link.Scheme != "":
				assert.Equalf(t, "https", link.Scheme, "%s links to %s", name, match[1])
				continue
			case link.Path != "":
				target = path.Join(path.Dir(name), link.Path)
				_, err := os.Stat(target)
				assert.NoErrorf(t, err, "%s links to %s", name, match[1])
			}
			if link.Fragment != "" {
				assert.Containsf(t, anchors(docs[target]), link.Fragment, "%s links to %s", name, match[1])
			}
		}
	}
}

// anchors returns the names by which a document's headings are linked to.
func anchors(text string) []string {
	var names []string
	for _, match := range heading.FindAllStringSubmatch(codeBlock.ReplaceAllString(text, ""), -1) {
		names = append(names, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			default:
				return -1
			}
		}, match[1]))
	}
	return names
}

// TestTheIndexIsComplete holds llms.txt to name every document below docs and
// every package that users import.
func TestTheIndexIsComplete(t *testing.T) {
	docs := documents(t)
	index := docs["llms.txt"]
	for name := range docs {
		if strings.HasPrefix(name, "docs/") {
			assert.Containsf(t, index, "("+name+")", "llms.txt names no %s", name)
		}
	}
	require.NoError(t, filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "doc.go" {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(name))
		if dir != "." && !in(dir, "internal") && !strings.Contains(dir, "/internal/") && !in(dir, "examples") {
			assert.Containsf(t, index, "https://pkg.go.dev/"+module+"/"+dir+")", "llms.txt names no package %s", dir)
		}
		return nil
	}))
}
