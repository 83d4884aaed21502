package kyctest

import (
	"html/template"
	"net/http"
	"slices"
	"strconv"
)

// Phone returns the page on which people answer a fake's prompts: plain HTML
// forms that need no script. Mount it at any path. With the query nationalId the
// page shows the prompts of that person alone.
//
// Where the provider matches a number, the page offers three and has chosen the
// right one; with another one chosen, approving is refused, as on a real phone.
func Phone(f Fake) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		switch r.Method {
		case http.MethodGet, http.MethodHead:
			showPhone(w, f, r.URL.Query().Get("nationalId"), http.StatusOK, "")
		case http.MethodPost:
			r.Body = http.MaxBytesReader(w, r.Body, maxAdmin)
			if problem := answerOnPhone(f, r); problem != "" {
				showPhone(w, f, r.URL.Query().Get("nationalId"), http.StatusConflict, problem)
				return
			}
			h.Set("Location", "?"+r.URL.RawQuery) // this page, wherever it is mounted
			w.WriteHeader(http.StatusSeeOther)
		default:
			h.Set("Allow", "GET, HEAD, POST")
			w.WriteHeader(http.StatusMethodNotAllowed)
		}
	})
}

// answerOnPhone gives the answer of a form to the fake and returns what is wrong
// with it.
func answerOnPhone(f Fake, r *http.Request) (problem string) {
	transID, answer := r.PostFormValue("transId"), r.PostFormValue("answer")
	prompts := f.Prompts()
	i := slices.IndexFunc(prompts, func(p Prompt) bool { return p.TransID == transID })
	switch {
	case i < 0:
		return "This request is not known any more."
	case answer != "approve" && answer != "reject":
		return "A request is approved or rejected."
	case answer == "approve" && prompts[i].Random != r.PostFormValue("random"):
		return "This is not the number that the website shows. Nothing was approved."
	case f.Answer(transID, answer) != nil:
		return "This request is not open any more."
	}
	return ""
}

// shown is a prompt on the page.
type shown struct {
	Prompt

	Numbers []string // to choose from
}

func showPhone(w http.ResponseWriter, f Fake, nationalID string, status int, problem string) {
	var open []shown
	for _, p := range f.Prompts() {
		if p.Open && (nationalID == "" || p.NationalID == nationalID) {
			open = append(open, shown{p, numbersLike(p.Random)})
		}
	}
	w.WriteHeader(status)
	_ = phonePage.Execute(w, map[string]any{"Open": open, "Problem": problem})
}

// numbersLike returns a number and two others of its length, in order.
func numbersLike(random string) []string {
	n, err := strconv.Atoi(random)
	if err != nil {
		return []string{random}
	}
	all := []string{random}
	for _, step := range []int{29, 58} {
		text := strconv.Itoa((n + step) % 100)
		for len(text) < len(random) {
			text = "0" + text
		}
		all = append(all, text)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

var phonePage = template.Must(template.New("phone").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{{if not .Open}}<meta http-equiv="refresh" content="2">
{{end}}<title>FAKE phone</title>
<style>
body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 26rem; margin: 1rem auto; padding: 0 1rem; color: #1d1d1f; background: #fff }
h1 { font-size: 1.3rem } .fake { background: #7a1020; color: #fff; padding: .2rem .6rem; border-radius: .3rem }
form { border: 1px solid #767676; border-radius: .6rem; padding: 1rem; margin: 1rem 0 }
fieldset { border: 0; padding: 0; margin: .6rem 0 } label { font-size: 1.6rem; margin-inline-end: 1.2rem }
button { font: inherit; padding: .5rem 1.2rem; margin-inline-end: .6rem } [role=alert] { color: #7a1020; font-weight: bold }
</style>
</head>
<body>
<h1><span class="fake">FAKE</span> phone</h1>
<p>This page is a part of a test server. It belongs to no identity provider and identifies nobody.</p>
{{with .Problem}}<p role="alert">{{.}}</p>
{{end}}{{range .Open}}<form method="post" data-testid="request">
<p>{{with .NationalID}}<bdi>{{.}}</bdi> is{{else}}Somebody is{{end}} asked to confirm who they are.</p>
<input type="hidden" name="transId" value="{{.TransID}}">
{{if .Random}}{{$right := .Random}}<fieldset>
<legend>The number on the website</legend>
{{range .Numbers}}<label><input type="radio" name="random" value="{{.}}"{{if eq . $right}} checked{{end}}> {{.}}</label>
{{end}}</fieldset>
{{end}}<button name="answer" value="approve" data-testid="approve">Approve</button>
<button name="answer" value="reject" data-testid="reject">Reject</button>
</form>
{{else}}<p>There is no request to answer. The page looks again every 2 seconds.</p>
{{end}}<p><a href="">Look again</a></p>
</body>
</html>
`))
