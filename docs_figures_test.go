package kyckit_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// figures says which cells of the benchmarks' README stand in which line of a
// document: in the table of a group, the row that begins so, and its columns.
var figures = []struct{ document, line, group, row, columns string }{
	{"README.md", "| a loop for each person", "nafath/delay", "S1, 10, 60 | loop each, 2 s", "mean, p95, 429s"},
	{"README.md", "| exponential backoff", "nafath/delay", "S1, 10, 60 | backoff each", "mean, p95, 429s"},
	{"README.md", "| `nafath.Poller`", "nafath/delay", "S1, 10, 60 | nafath.Poller", "mean, p95, 429s"},
	{"README.md", "| what no policy", "nafath/delay", "S1, 10, 60 | causal bound", "mean"},
	{"README.md", "| mint a token", "mint", "kyckit auth.Minter", "ratio"},
	{"README.md", "| mint a token", "mint", "golang-jwt v5, typed claims", "ratio"},
	{"README.md", "| mint a token", "mint", "lestrrat-go/jwx v3", "ratio"},
	{"README.md", "| refuse a forged", "attestation/forged", "kyckit, all checks", "ratio"},
	{"README.md", "| refuse a forged", "attestation/forged", "golang-jwt v5, typed claims", "ratio"},
	{"README.md", "| refuse a forged", "attestation/forged", "go-jose v4", "ratio"},
	{"README.md", "| verify a webhook", "webhook/verify/200B", "kyckit webhook, Standard Webhooks", "ratio"},
	{"README.md", "| verify a webhook", "webhook/verify/200B", "stripe-go ValidatePayload", "ratio"},
	{"README.md", "| verify a webhook", "webhook/verify/200B", "svix", "ratio"},
	{"README.md", "| one JSON call", "call", "kyckit nafath.Status", "ratio"},
	{"README.md", "| one JSON call", "call", "azcore pipeline", "ratio"},
	{"README.md", "| one JSON call", "call", "stripe-go", "ratio"},

	{"docs/migration.md", "| a loop each", "nafath/delay", "S1, 10, 60 | loop each, 2 s", "mean, p95, p99, 429s"},
	{"docs/migration.md", "| an exponential backoff", "nafath/delay", "S1, 10, 60 | backoff each", "mean, p95, p99, 429s"},
	{"docs/migration.md", "| round robin", "nafath/delay", "S1, 10, 60 | round robin, paced", "mean, p95, p99, 429s"},
	{"docs/migration.md", "| `nafath.Poller`", "nafath/delay", "S1, 10, 60 | nafath.Poller", "mean, p95, p99, 429s"},
	{"docs/migration.md", "| what no policy", "nafath/delay", "S1, 10, 60 | causal bound", "mean"},
	{"docs/migration.md", "| the same with webhooks", "nafath/delay", "webhooks, up to 2 s late", "mean, p95, checks a minute, 429s"},
	{"docs/migration.md", "| `auth.Cache`", "token/faults", "kyckit auth.Cache", "10,000 cold, 2,000/s, down 5 s, token alive"},
	{"docs/migration.md", "| x/oauth2", "token/faults", "x/oauth2", "10,000 cold, 2,000/s, down 5 s, token alive"},
	{"docs/migration.md", "| aws-sdk-go-v2", "token/faults", "aws-sdk-go-v2", "10,000 cold, 2,000/s, down 5 s, token alive"},
	{"docs/migration.md", "| `webhook`, Standard", "webhook/verify/200B", "kyckit webhook", "ratio, allocs"},
	{"docs/migration.md", "| stripe-go", "webhook/verify/200B", "stripe-go", "ratio, allocs"},
	{"docs/migration.md", "| svix", "webhook/verify/200B", "svix", "ratio, allocs"},
	{"docs/migration.md", "| accept", "attestation/accept", "kyckit, all checks", "ratio"},
	{"docs/migration.md", "| accept", "attestation/accept", "golang-jwt v5, typed claims", "ratio"},
	{"docs/migration.md", "| refuse a forgery", "attestation/forged", "kyckit, all checks", "ratio"},
	{"docs/migration.md", "| refuse a forgery", "attestation/forged", "golang-jwt v5, typed claims", "ratio"},
	{"docs/migration.md", "| into a buffer", "upload", "mime/multipart into a buffer", "ratio, bytes"},
	{"docs/migration.md", "| `faceki.Verify`, from a file", "upload", "kyckit faceki.Verify, reader", "ratio, bytes"},
	{"docs/migration.md", "| `faceki.Verify`, from a stream", "upload", "kyckit faceki.Verify, stream", "ratio, bytes"},
}

// TestDocumentedFiguresAreThoseOfTheBenchmarks holds every figure of a document
// to the benchmarks' README, which is written from a run.
func TestDocumentedFiguresAreThoseOfTheBenchmarks(t *testing.T) {
	docs := documents(t)
	tables := benchmarkTables(t)
	for _, f := range figures {
		_, rest, found := strings.Cut(docs[f.document], "\n"+f.line)
		if !assert.Truef(t, found, "%s has no line that begins with %q", f.document, f.line) {
			continue
		}
		line, _, _ := strings.Cut(rest, "\n")
		for _, want := range measured(t, tables[f.group], f.row, f.columns) {
			assert.Containsf(t, " "+strings.ReplaceAll(line, ",", " ")+" ", " "+want+" ",
				"%s, line %q: internal/bench/README.md says %s now", f.document, f.line, want)
		}
	}
}

// benchmarkTables returns the table lines of each group, with single blanks.
func benchmarkTables(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("internal/bench/README.md")
	require.NoError(t, err)
	tables, group := map[string][]string{}, ""
	for line := range strings.Lines(string(text)) {
		if title, ok := strings.CutPrefix(line, "### "); ok {
			group, _, _ = strings.Cut(title, ":")
		} else if strings.HasPrefix(line, "|") {
			tables[group] = append(tables[group], strings.Join(strings.Fields(line), " "))
		}
	}
	return tables
}

// measured returns the cells of one row, by the beginnings of their columns'
// names, which are separated by ", " where that is no part of a name.
func measured(t *testing.T, table []string, row, columns string) []string {
	t.Helper()
	var head []string
	for i, line := range table {
		if i+1 < len(table) && strings.HasPrefix(table[i+1], "|---") {
			head = strings.Split(line, "|")
		}
		if !strings.HasPrefix(line, "| "+row) {
			continue
		}
		var cells []string
		for i, name := range head {
			if name = strings.TrimSpace(name); name != "" && wanted(columns, name) {
				cells = append(cells, strings.TrimSpace(strings.Split(line, "|")[i]))
			}
		}
		require.NotEmptyf(t, cells, "%s: none of the columns %s", row, columns)
		return cells
	}
	require.Failf(t, "a figure is gone", "internal/bench/README.md has no row %q", row)
	return nil
}

func wanted(columns, name string) bool {
	for column := range strings.SplitSeq(columns, ", ") {
		if name == column {
			return true
		}
	}
	// Long names are given by their beginnings.
	return strings.Contains(columns, "10,000 cold") &&
		(strings.HasPrefix(name, "10,000 cold") || strings.HasPrefix(name, "2,000/s") || strings.HasPrefix(name, "down 5 s, token alive"))
}
