package policy

import (
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/fault"
)

// condition is one key under one operator: it holds when the request's value fits one of the values, or, of a negated operator, none.
type condition struct {
	unknown  string // what is not known about it, in words; the rest is empty then
	key      string // in lower case
	operator string // in lower case, without qualifier and IfExists
	negated  bool
	absent   bool // what the condition is when the request has no value for key
	all      bool // of a key with several values: all of them must hold, not any
	values   []value
}

// value is one value of a condition, read as its operator wants it.
type value struct {
	text   string
	number float64
	time   time.Time
	prefix netip.Prefix
	arn    arnPattern
}

// operators are those that are known, and for each which it negates ("" for those that negate none).
var operators = map[string]string{
	"stringequals": "", "stringnotequals": "stringequals",
	"stringequalsignorecase": "", "stringnotequalsignorecase": "stringequalsignorecase",
	"stringlike": "", "stringnotlike": "stringlike",
	"numericequals": "", "numericnotequals": "numericequals",
	"numericlessthan": "", "numericlessthanequals": "", "numericgreaterthan": "", "numericgreaterthanequals": "",
	"dateequals": "", "datenotequals": "dateequals",
	"datelessthan": "", "datelessthanequals": "", "dategreaterthan": "", "dategreaterthanequals": "",
	"bool": "", "ipaddress": "", "notipaddress": "ipaddress",
	"arnequals": "", "arnnotequals": "arnequals", "arnlike": "", "arnnotlike": "arnlike",
	"null": "",
}

// The tags of the resource and those of the request are keys by their names, which have no case there.
const (
	resourceTag = "aws:resourcetag/"
	requestTag  = "aws:requesttag/"
	tagKeys     = "aws:tagkeys" // the one key that has several values
)

// knownKeys are the keys whose values a request really has, and whether they differ from one request of a caller to the next.
var knownKeys = map[string]struct{ volatile bool }{
	"aws:sourceip": {true}, "aws:securetransport": {true}, "aws:currenttime": {true}, "aws:epochtime": {true},
	"aws:principalaccount": {}, "aws:principalarn": {}, "aws:username": {}, "aws:requestedregion": {}, "aws:resourceaccount": {},
	tagKeys: {true},
}

func (c condition) volatile() bool {
	return knownKeys[c.key].volatile || strings.HasPrefix(c.key, requestTag)
}

// tagOf is the name of the tag that a key is about, in lower case.
func tagOf(key string) (name string, ofRequest, ok bool) {
	if name, ok = strings.CutPrefix(key, resourceTag); ok {
		return name, false, name != ""
	}
	name, ok = strings.CutPrefix(key, requestTag)
	return name, true, ok && name != ""
}

func parseConditions(n *node, place string) ([]condition, error) {
	if n.kind != '{' {
		return nil, fault.New(fault.Invalid, "policy: %s must be an object", place)
	}
	var all []condition
	for _, operator := range n.members {
		at := join(place, operator.name)
		if operator.value.kind != '{' || len(operator.value.members) == 0 {
			return nil, fault.New(fault.Invalid, "policy: %s must be an object of condition keys", at)
		}
		for _, key := range operator.value.members {
			c, err := parseCondition(operator.name, key.name, &key.value, join(at, key.name))
			if err != nil {
				return nil, err
			}
			all = append(all, c)
		}
	}
	return all, nil
}

func parseCondition(operator, key string, n *node, place string) (condition, error) {
	texts, err := n.scalars(place)
	if err != nil {
		return condition{}, err
	}
	c := condition{key: strings.ToLower(key)}
	name := strings.ToLower(operator)
	ofSet, qualified := "", false
	if before, after, found := strings.Cut(name, ":"); found {
		ofSet, name, qualified = before, after, true
	}
	name, ifExists := strings.CutSuffix(name, "ifexists")
	negates, known := operators[name]
	if !known || qualified && ofSet != "forallvalues" && ofSet != "foranyvalue" || name == "null" && (ifExists || qualified) {
		return condition{unknown: "the condition operator " + operator}, nil
	}
	_, known = knownKeys[c.key]
	if _, _, isTag := tagOf(c.key); !known && !isTag {
		return condition{unknown: "the condition key " + key}, nil
	}
	if c.key == tagKeys && !qualified && name != "null" {
		return c, fault.New(fault.Invalid, "policy: %s: %s has several values and takes ForAllValues: or ForAnyValue: before the operator", place, key)
	}
	// Every other key has one value or none. A qualifier therefore only says what the absence of one means.
	c.all = ofSet == "forallvalues"
	c.operator, c.negated = name, negates != ""
	if c.negated {
		c.operator = negates
	}
	switch {
	case ifExists || ofSet == "forallvalues":
		c.absent = true
	case ofSet == "foranyvalue":
		c.absent = false
	default:
		c.absent = c.negated
	}
	for _, text := range texts {
		if err := refuseVariables(text, place); err != nil {
			return c, err
		}
		v, ok := readValue(c.operator, text)
		if !ok {
			return c, fault.New(fault.Invalid, "policy: %s: %q is not a value for %s", place, text, operator)
		}
		c.values = append(c.values, v)
	}
	return c, nil
}

// scalars is the texts of a condition's values: texts, numbers and bools, one or a list of them.
func (n *node) scalars(place string) ([]string, error) {
	items := []node{*n}
	if n.kind == '[' {
		items = n.items
	}
	if len(items) == 0 {
		return nil, fault.New(fault.Invalid, "policy: %s is empty", place)
	}
	texts := make([]string, len(items))
	for i := range items {
		if k := items[i].kind; k != '"' && k != '0' && k != 't' {
			return nil, fault.New(fault.Invalid, "policy: %s must be a text, number or bool, or a list of them", place)
		}
		texts[i] = items[i].text
	}
	return texts, nil
}

// readValue reads a value of the policy as an operator wants it.
func readValue(operator, text string) (v value, ok bool) {
	v.text, ok = text, true
	switch {
	case operator == "bool" || operator == "null":
		v.text = strings.ToLower(text)
		ok = v.text == "true" || v.text == "false"
	case operator == "ipaddress":
		v.prefix, ok = readPrefix(text)
	case strings.HasPrefix(operator, "numeric"):
		v.number, ok = readNumber(text)
	case strings.HasPrefix(operator, "date"):
		v.time, ok = readTime(text)
	case strings.HasPrefix(operator, "arn"):
		v.arn, ok = parseARNPattern(text)
	}
	return v, ok
}

func readPrefix(text string) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		return netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()), true
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err == nil
}

func readNumber(text string) (float64, bool) {
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil && !math.IsNaN(n) && !math.IsInf(n, 0)
}

// dateForms are the forms of ISO 8601 that AWS takes, beside seconds since 1970 ("Date condition operators", IAM User Guide).
var dateForms = []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02", "2006-01", "2006"}

func readTime(text string) (time.Time, bool) {
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil && len(text) > 4 {
		return time.Unix(seconds, 0), seconds > -1<<40 && seconds < 1<<40
	}
	for _, form := range dateForms {
		if t, err := time.Parse(form, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// of is the request's value for a key. present is false when the request has none.
func (r *Request) of(key string) (text string, present bool) {
	switch key {
	case "aws:sourceip":
		return r.SourceIP.Unmap().String(), r.SourceIP.IsValid()
	case "aws:securetransport":
		return strconv.FormatBool(r.SecureTransport), true
	case "aws:currenttime":
		return r.Now.UTC().Format(time.RFC3339), true
	case "aws:epochtime":
		return strconv.FormatInt(r.Now.Unix(), 10), true
	case "aws:principalaccount":
		return r.Account, true
	case "aws:principalarn":
		return r.ARN, true
	case "aws:username":
		return r.User, r.User != ""
	case "aws:requestedregion":
		return r.Region, true
	case "aws:resourceaccount":
		return r.ResourceAccount, r.ResourceAccount != ""
	}
	if tag, ofRequest, ok := tagOf(key); ok {
		for name, value := range r.tags(ofRequest) {
			if strings.ToLower(name) == tag {
				return value, true
			}
		}
	}
	return "", false
}

func (r *Request) tags(ofRequest bool) map[string]string {
	if ofRequest {
		return r.RequestTags
	}
	return r.ResourceTags
}

// ambiguous says whether a key stands for several tags: the name of a condition key has no case, and the names of tags have.
func (r *Request) ambiguous(key string) bool {
	tag, ofRequest, ok := tagOf(key)
	if !ok {
		return false
	}
	found := 0
	for name := range r.tags(ofRequest) {
		if strings.ToLower(name) == tag {
			found++
		}
	}
	return found > 1
}

// holds says whether the condition is met, or names what is not known about it.
func (c *condition) holds(r *Request) (holds bool, unknownWhy string) {
	if c.unknown != "" {
		return false, c.unknown
	}
	if c.key == tagKeys {
		return c.ofKeys(r.TagKeys), ""
	}
	if r.ambiguous(c.key) {
		return false, "which of several tags is meant by the condition key " + c.key
	}
	text, present := r.of(c.key)
	if c.operator == "null" {
		for i := range c.values {
			if (c.values[i].text == "true") != present {
				return true, ""
			}
		}
		return false, ""
	}
	if !present {
		return c.absent, ""
	}
	return c.one(text), ""
}

// ofKeys is holds for the key that has several values.
func (c *condition) ofKeys(keys []string) bool {
	switch {
	case c.operator == "null":
		return slices.ContainsFunc(c.values, func(v value) bool { return (v.text == "true") != (len(keys) > 0) })
	case len(keys) == 0:
		return c.absent
	case c.all:
		return !slices.ContainsFunc(keys, func(key string) bool { return !c.one(key) })
	default:
		return slices.ContainsFunc(keys, c.one)
	}
}

// one says whether one value of the request meets the condition.
func (c *condition) one(text string) bool {
	have, ok := value{text: text}, true
	switch {
	case strings.HasPrefix(c.operator, "numeric"):
		have.number, ok = readNumber(text)
	case strings.HasPrefix(c.operator, "date"):
		have.time, ok = readTime(text)
	case c.operator == "ipaddress":
		have.prefix, ok = readPrefix(text)
	}
	if ok {
		for i := range c.values {
			if c.fits(&have, &c.values[i]) {
				return !c.negated
			}
		}
	}
	return c.negated
}

// fits says whether the request's value have fits one value of the policy, by the operator without its negation.
func (c *condition) fits(have, want *value) bool {
	switch c.operator {
	case "stringequals":
		return have.text == want.text
	case "stringequalsignorecase":
		return strings.EqualFold(have.text, want.text)
	case "stringlike":
		return glob(want.text, have.text)
	case "bool":
		return have.text == want.text
	case "ipaddress":
		return want.prefix.Contains(have.prefix.Addr())
	case "arnequals", "arnlike":
		return want.arn.fits(have.text)
	case "numericequals":
		return have.number == want.number
	case "numericlessthan":
		return have.number < want.number
	case "numericlessthanequals":
		return have.number <= want.number
	case "numericgreaterthan":
		return have.number > want.number
	case "numericgreaterthanequals":
		return have.number >= want.number
	case "dateequals":
		return have.time.Equal(want.time)
	case "datelessthan":
		return have.time.Before(want.time)
	case "datelessthanequals":
		return !have.time.After(want.time)
	case "dategreaterthan":
		return have.time.After(want.time)
	default: // dategreaterthanequals
		return !have.time.Before(want.time)
	}
}
