package sigv4

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Parse reads the claim of a request from its Authorization header or its query. Errors are *Error: nothing claimed, both places
// used, parts missing or malformed. The Auth holds whatever could be read, also beside an error, for those who believe everyone.
func Parse(r *http.Request) (Auth, error) {
	header := firstHeader(r.Header, "Authorization")
	_, presigned := queryValue(r.URL.RawQuery, "X-Amz-Algorithm")
	var a Auth
	var err *Error
	switch {
	case header != "" && presigned:
		a, _ = parseHeader(r, header)
		err = invalid("Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.")
	case header != "":
		a, err = parseHeader(r, header)
	case presigned:
		a, err = parseQuery(r)
	default:
		return Auth{}, ErrMissing
	}
	if err != nil {
		return a, err
	}
	return a, nil
}

func parseHeader(r *http.Request, header string) (Auth, *Error) {
	var a Auth
	var credential string
	name, rest, _ := strings.Cut(header, " ")
	for rest != "" {
		var part string
		if i := strings.IndexAny(rest, ", "); i >= 0 {
			part, rest = rest[:i], rest[i+1:]
		} else {
			part, rest = rest, ""
		}
		key, value, _ := strings.Cut(part, "=")
		switch key {
		case "Credential":
			credential = value
		case "Signature":
			a.Signature = value
		case "SignedHeaders":
			a.SignedHeaders = value
		}
	}
	a.SecurityToken = firstHeader(r.Header, "X-Amz-Security-Token")
	a.PayloadHash = firstHeader(r.Header, "X-Amz-Content-Sha256")
	credentialErr := a.splitCredential(credential)
	date := firstHeader(r.Header, "X-Amz-Date")
	if date == "" {
		date = firstHeader(r.Header, "Date")
	}
	dateErr := a.parseDate(date)

	if credential == "" || a.Signature == "" || a.SignedHeaders == "" || date == "" {
		var text strings.Builder
		for _, part := range [...]struct{ name, value string }{
			{"Credential", credential}, {"Signature", a.Signature}, {"SignedHeaders", a.SignedHeaders},
		} {
			if part.value == "" {
				text.WriteString("Authorization header requires '" + part.name + "' parameter. ")
			}
		}
		if date == "" {
			text.WriteString("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")
		}
		return a, incomplete("%sAuthorization=%s", text.String(), header)
	}
	if name != algorithm {
		return a, incomplete("Unsupported AWS 'algorithm': '%s'.", name)
	}
	if credentialErr != nil {
		return a, credentialErr
	}
	return a, dateErr
}

func parseQuery(r *http.Request) (Auth, *Error) {
	a := Auth{Presigned: true}
	query := r.URL.RawQuery
	name, _ := queryValue(query, "X-Amz-Algorithm")
	credential, _ := queryValue(query, "X-Amz-Credential")
	date, _ := queryValue(query, "X-Amz-Date")
	a.Signature, _ = queryValue(query, "X-Amz-Signature")
	a.SignedHeaders, _ = queryValue(query, "X-Amz-SignedHeaders")
	a.SecurityToken, _ = queryValue(query, "X-Amz-Security-Token")
	a.PayloadHash = firstHeader(r.Header, "X-Amz-Content-Sha256")
	if a.PayloadHash == "" {
		a.PayloadHash, _ = queryValue(query, "X-Amz-Content-Sha256")
	}
	credentialErr := a.splitCredential(credential)
	dateErr := a.parseDate(date)

	var text strings.Builder
	for _, part := range [...]struct{ name, value string }{
		{"Algorithm", name}, {"Credential", credential}, {"Signature", a.Signature}, {"SignedHeaders", a.SignedHeaders}, {"Date", date},
	} {
		if part.value == "" {
			text.WriteString("AWS query-string parameters must include 'X-Amz-" + part.name + "'. ")
		}
	}
	if text.Len() > 0 {
		return a, incomplete("%sRe-examine the query-string parameters.", text.String())
	}
	if name != algorithm {
		return a, incomplete("Unsupported AWS 'algorithm': '%s'.", name)
	}
	if credentialErr != nil {
		return a, credentialErr
	}
	if dateErr != nil {
		return a, dateErr
	}
	if expires, ok := queryValue(query, "X-Amz-Expires"); ok {
		seconds, err := strconv.ParseUint(expires, 10, 31)
		if err != nil || seconds == 0 || time.Duration(seconds)*time.Second > expiresMax {
			return a, incomplete("X-Amz-Expires must be a number of seconds between 1 and %d, got '%s'.", int(expiresMax/time.Second), expires)
		}
		a.Expires = time.Duration(seconds) * time.Second
	}
	return a, nil
}

// splitCredential fills key id, date, region and service as far as the credential has them. Key ids have no slash.
func (a *Auth) splitCredential(credential string) *Error {
	var end string
	rest := credential
	parts := 1
	for _, field := range [...]*string{&a.AccessKeyID, &a.ScopeDate, &a.Region, &a.Service, &end} {
		var found bool
		*field, rest, found = strings.Cut(rest, "/")
		if !found {
			break
		}
		parts++
	}
	if parts != 5 {
		return incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'", credential)
	}
	if end != terminator {
		return incomplete("Credential should be scoped with a valid terminator: '%s', not '%s'.", terminator, end)
	}
	return nil
}

// parseDate accepts the basic ISO form, and the HTTP form for those who sign a Date header.
func (a *Auth) parseDate(date string) *Error {
	t, err := time.Parse(basicFormat, date)
	if err == nil {
		a.Date, a.Time = date, t
		return nil
	}
	if t, err = http.ParseTime(date); err == nil {
		a.Date, a.Time = t.UTC().Format(basicFormat), t.UTC()
		return nil
	}
	return incomplete("Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", date)
}

// firstHeader is the first value under a name in canonical form.
func firstHeader(h http.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// queryValue finds the first parameter of a raw query by its plain name, decoded, and whether it is there at all.
// A value that does not decode is given as it stands: it will not match a signature.
func queryValue(query, name string) (string, bool) {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		key, value, _ := strings.Cut(pair, "=")
		if key != name {
			continue
		}
		if decoded, err := url.QueryUnescape(value); err == nil {
			value = decoded
		}
		return value, true
	}
	return "", false
}
