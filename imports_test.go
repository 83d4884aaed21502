package kyckit_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/kyckit/kyckit"

// pkg is what go list tells of a package.
type pkg struct {
	ImportPath string
	Imports    []string
}

// TestImportRules keeps the imports of the house running one way.
func TestImportRules(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", module+"/...").Output()
	require.NoError(t, err)
	var pkgs []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		pkgs = append(pkgs, p)
	}
	require.NotEmpty(t, pkgs)

	providers := []string{"nafath", "faceki", "cafsmartauth", "kycjwt"}
	only := map[string][]string{ // who may know a third-party mechanism
		"github.com/hashicorp/go-retryablehttp": {"internal/transport"},
		"golang.org/x/oauth2":                   {"auth"},
		"github.com/golang-jwt/jwt/v5":          {"auth", "cafsmartauth"},
		"github.com/cenkalti/backoff/v4":        {"internal/poll", "auth"},
		"github.com/stretchr/testify":           {},
	}
	for _, p := range pkgs {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		for _, imp := range p.Imports {
			local, isLocal := strings.CutPrefix(imp, module)
			local = strings.TrimPrefix(local, "/")
			external := !isLocal && strings.Contains(strings.SplitN(imp, "/", 2)[0], ".")
			switch {
			case strings.HasPrefix(name, "internal/bench"), strings.HasPrefix(name, "examples"):
				continue
			case name == "":
				assert.Falsef(t, isLocal || external, "the root package imports %s", imp)
			case name == "webhook":
				assert.Falsef(t, external || isLocal && local != "", "webhook imports %s", imp)
			case name == "internal/transport":
				assert.Falsef(t, isLocal && local != "", "internal/transport imports %s", imp)
			case name == "auth":
				assert.Falsef(t, isLocal && local != "" && !strings.HasPrefix(local, "internal/"), "auth imports %s", imp)
			}
			for _, a := range providers {
				for _, b := range providers {
					if a != b && under(name, a) {
						assert.Falsef(t, isLocal && under(local, b), "%s imports %s", name, imp)
					}
				}
			}
			if isLocal && strings.HasSuffix(local, "test") && name != "internal/pollsim" { // a simulation needs its fake
				assert.Truef(t, strings.HasSuffix(name, "test"), "%s imports the fake %s", name, imp)
			}
			for lib, allowed := range only {
				if imp == lib || strings.HasPrefix(imp, lib+"/") {
					assert.Containsf(t, allowed, name, "%s imports %s", name, imp)
				}
			}
		}
	}
}

func under(name, dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") }
