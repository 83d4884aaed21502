package facekitest

// person returns a record of somebody who does not exist, without the fields
// that differ from record to record. The machine-readable zone is filler.
func person() map[string]any {
	return map[string]any{
		"link": "",
		"document_data": []any{map[string]any{
			"reference":   "700000007",
			"full_name":   "MIRA EXAMPLE TESTER",
			"first_name":  "MIRA EXAMPLE",
			"middle_name": "",
			"last_name":   "TESTER",
			"local_name":  "ميرا",
			"nationality": "Utopia", "nationality_iso": "UT", "nationality_iso2": "UTO",
			"issuer": "Utopia", "issuer_iso": "UT", "issuer_iso2": "UTO",
			"gender": "F", "dob": "12", "age": "34",
			"document_number": "700000007", "documentAdditionalNumber": "",
			"expiry": "2031-05-20", "expiryDay": "20", "expiryMonth": "05", "expiryYear": "2031",
			"issued": "", "issuedDay": "", "issuedMonth": "", "issuedYear": "",
			"date_of_birth": "1991-04-12", "date_of_birth_day": "12",
			"date_of_birth_month": "04", "date_of_birth_year": "1991",
			"document_type": "I", "document_type_full": "Identity Card",
			"mrz":                 "IDUTO7000000070<<<<<<<<<<<<<<<^9104120F3105200UTO<<<<<<<<<<<0^TESTER<<MIRA<EXAMPLE<<<<<<<<<<",
			"document_face_match": map[string]any{"similarity": 98.25, "confidence": 99.5},
			"passed":              true,
		}},
		"document_data_confidence": []any{map[string]any{
			"reference": "700000007", "full_name": 0.98, "personal_number": 0.5, "mrz": 0.97,
		}},
		"selfie_data": map[string]any{"liveness_pass": true},
		"verification_summary": map[string]any{
			"face_verified": true, "selfie_liveness_verified": true, "document_verified": true,
			"verification_rules_passed": true, "document_liveness_verified": true, "image_quality": true,
		},
		"warnings": []any{}, "notes": []any{}, "aml": []any{}, "errorCodes": []any{},
		"images": []any{map[string]any{"documentName": "selfie", "side": "front", "key": "fake/selfie.jpg"}},
		"deviceDetails": map[string]any{
			"useragent": "Fake/1.0",
			"detectResult": map[string]any{
				"client": map[string]any{"type": "browser", "name": "Fake", "version": "1.0"},
				"device": map[string]any{"id": "", "type": "desktop", "brand": "", "model": ""},
			},
		},
	}
}

func defaultRules() map[string]any {
	return map[string]any{
		"_id": "64f0aa11bb22cc33dd44ee55", "companyId": "company-fake", "branchId": "branch-fake",
		"documents": []any{"ID Card"}, "nationality": []any{}, "countries": []any{},
		"document_optional": false, "store_data": true, "face_match_score": 95, "minAge": 18, "maxAge": 99,
		"theme": map[string]any{"language": "en", "skipResult": false, "imageUrls": []any{}},
		"__v":   0,
	}
}
