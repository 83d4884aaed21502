package kycjwttest

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"

	"github.com/kyckit/kyckit/kycjwt"
)

// refused is a field whose value is not as documented. The words of the
// message are this fake's.
func refused(input any, loc ...any) fieldProblem {
	return fieldProblem{
		loc:   loc,
		older: [2]string{"value is not valid", "value_error"},
		newer: [2]string{"Input should be valid", "value_error"},
		input: input,
	}
}

// The documented forms of a person's fields.
var (
	date    = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
	alpha3  = regexp.MustCompile(`^[A-Z]{3}$`)
	e164    = regexp.MustCompile(`^\+[1-9][0-9]{1,14}$`)
	genders = []float64{0, 1, 2, 9}
)

// personProblems checks a person against the documented fields.
func personProblems(in map[string]any) (problems []fieldProblem) {
	for _, name := range PersonFields() {
		value, ok := in[name]
		switch {
		case !ok:
			p := missing("body", name)
			p.input = in // as the newer generation does
			problems = append(problems, p)
		case !validField(name, value):
			problems = append(problems, refused(value, "body", name))
		}
	}
	for _, name := range []string{"middle_name", "region"} {
		if _, text := in[name].(string); in[name] != nil && !text {
			problems = append(problems, refused(in[name], "body", name))
		}
	}
	if others := in["other_nationalities"]; others != nil {
		list, ok := others.([]any)
		if !ok || slices.ContainsFunc(list, func(v any) bool { return !validField("nationality", v) }) {
			problems = append(problems, refused(others, "body", "other_nationalities"))
		}
	}
	return problems
}

func validField(name string, value any) bool {
	if name == "gender" {
		n, ok := value.(float64)
		return ok && slices.Contains(genders, n)
	}
	text, ok := value.(string)
	switch name {
	case "birth_date":
		return date.MatchString(text)
	case "nationality", "birth_country", "country", "tax_country":
		return alpha3.MatchString(text)
	case "phone":
		return e164.MatchString(text)
	}
	return ok
}

// answerMember is the one member that an answer to a type of question has.
// Types that are not named here may be answered by any.
func answerMember(questionType string) string {
	switch questionType {
	case "text":
		return "answer_text"
	case "integer":
		return "answer_integer"
	case "bool":
		return "answer_boolean"
	case "single_choice":
		return "answer_option_id"
	case "multiple_choice":
		return "answer_option_ids"
	case "document":
		return "answer_document_id"
	case "multiple_documents":
		return "answer_document_ids"
	}
	return ""
}

// readAnswer reads an answer: a question of q and the one member that belongs
// to its type. Wrong is the member that is not as it should be, "" if none is.
func readAnswer(q *kycjwt.Questionnaire, raw json.RawMessage) (a kycjwt.Answer, wrong string) {
	const question = "question_id"
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &a) != nil || json.Unmarshal(raw, &members) != nil || len(members) != 2 || q.Data == nil {
		return a, question
	}
	i := slices.IndexFunc(q.Data.Questions, func(x kycjwt.Question) bool { return x.ID == a.QuestionID })
	if i < 0 {
		return a, question
	}
	want := answerMember(q.Data.Questions[i].QuestionType)
	for name, value := range members {
		if name != question && (want != "" && name != want || string(value) == "null") {
			return a, name
		}
	}
	return a, ""
}

// validWebhook reports whether a registration has fields of the documented
// types.
func validWebhook(in map[string]any) bool {
	_, isBool := in["include_all_events"].(bool)
	list, isList := in["event_types"].([]any)
	return (isBool || in["include_all_events"] == nil) && (isList || in["event_types"] == nil) &&
		!slices.ContainsFunc(list, func(v any) bool { _, ok := v.(string); return !ok })
}

func isHTTPS(v any) bool {
	text, _ := v.(string)
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "https" && u.Host != ""
}
