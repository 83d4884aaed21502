package kyckit_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/kyckit/kyckit"

// The rooms of the house, as paths below the module. A room includes all
// folders below it.
var (
	providers = []string{"nafath", "faceki", "cafsmartauth", "kycjwt"}

	// shared are the other rooms that users import: those that serve every provider.
	shared = []string{"", "auth", "webhook", "kyctest", "redisstore", "otelkyc"}

	// fakes are imported by tests, by users, and by what is a test or a tool.
	fakes = []string{
		"kyctest", "auth/authtest", "webhook/webhooktest",
		"nafath/nafathtest", "faceki/facekitest", "cafsmartauth/cafsmartauthtest", "kycjwt/kycjwttest",
	}
	// outside are the rooms that may import everything.
	outside = []string{"cmd", "examples", "internal/bench", "internal/storm"}

	// mayImport says for some rooms all they may import of this module. The root
	// and internal/transport are bounded the most; everything rests on them.
	mayImport = map[string][]string{
		"":                   {},
		"internal/transport": {""},
		"auth":               {"", "internal"},
		"webhook":            {"", "webhook/internal", "internal/strictjson", "internal/credential"},
		"redisstore":         {"", "auth", "nafath", "webhook"},
		"otelkyc":            {"", "auth", "nafath", "webhook"},
	}
	// mechanisms are the third-party modules, and the rooms that know each. A
	// module that is not here is unknown to the root module.
	mechanisms = map[string][]string{
		"github.com/hashicorp/go-retryablehttp": {"internal/transport"},
		"golang.org/x/oauth2":                   {"auth"},
		"github.com/golang-jwt/jwt/v5":          {"auth", "cafsmartauth"},
		"github.com/cenkalti/backoff/v4":        {"internal/poll", "auth"},
	}
	// nested are the modules of their own, which have dependencies of their own.
	nested = []string{"examples", "internal/bench", "internal/storm", "redisstore", "otelkyc"}
)

// TestImportRules keeps the imports of the house running one way: outside →
// providers → auth → internal/transport → root. It is the only place that says
// who may import what.
func TestImportRules(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "work").Output()
	require.NoError(t, err)
	seen := 0
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; seen++ {
		var p struct {
			ImportPath string
			Imports    []string
		}
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		name := local(p.ImportPath)
		checkRoom(t, name)
		for _, imp := range p.Imports {
			if imp == module || strings.HasPrefix(imp, module+"/") {
				checkLocal(t, name, local(imp))
			} else if strings.Contains(strings.SplitN(imp, "/", 2)[0], ".") {
				checkThirdParty(t, name, imp)
			}
		}
	}
	require.Greater(t, seen, 20)
}

// checkRoom demands that every package be in a room that has rules.
func checkRoom(t *testing.T, name string) {
	t.Helper()
	room, _, _ := strings.Cut(name, "/")
	known := room == "internal" || inAny(name, outside) || slices.Contains(shared, room) || slices.Contains(providers, room)
	assert.Truef(t, known, "%s is in none of the rooms above; a new provider belongs to providers", name)
	if strings.HasSuffix(name, "test") {
		assert.Truef(t, inAny(name, fakes) || room == "internal", "%s looks like a fake and is not one of fakes", name)
	}
}

func checkLocal(t *testing.T, name, imp string) {
	t.Helper()
	if inAny(name, outside) {
		return
	}
	for _, provider := range providers {
		if in(imp, provider) && !in(name, provider) {
			assert.Falsef(t, inAny(name, providers), "%s imports another provider, %s", name, imp)
		}
	}
	if inAny(imp, fakes) {
		assert.Truef(t, inAny(name, fakes), "%s imports the fake %s", name, imp)
	}
	if allowed, bounded := mayImport[name]; bounded {
		assert.Truef(t, slices.Contains(allowed, imp) || inAny(imp, slices.DeleteFunc(slices.Clone(allowed), func(a string) bool { return a == "" })),
			"%s imports %s", name, imp)
	}
	if inAny(imp, outside) {
		t.Errorf("%s imports %s, which nothing may import", name, imp)
	}
}

func checkThirdParty(t *testing.T, name, imp string) {
	t.Helper()
	if inAny(name, nested) {
		return
	}
	for lib, rooms := range mechanisms {
		if imp == lib || strings.HasPrefix(imp, lib+"/") {
			assert.Containsf(t, rooms, name, "%s imports %s", name, imp)
			return
		}
	}
	t.Errorf("%s imports %s, which is not a dependency of the root module outside of tests", name, imp)
}

// local turns an import path into a path below the module; the root is "".
func local(importPath string) string {
	return strings.TrimPrefix(strings.TrimPrefix(importPath, module), "/")
}

func in(name, room string) bool { return name == room || strings.HasPrefix(name, room+"/") }

func inAny(name string, rooms []string) bool {
	return slices.ContainsFunc(rooms, func(room string) bool { return in(name, room) })
}
