package s3

import (
	"encoding/xml"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/weir-stream/weir/internal/blob/store"
)

// rulesMax is how many rules a lifecycle may have, idMax how long their names are (API_PutBucketLifecycleConfiguration, API_LifecycleRule).
const (
	rulesMax = 1000
	idMax    = 255
)

const transitionMinimum = "X-Amz-Transition-Default-Minimum-Object-Size"

// putBucketLifecycleConfiguration replaces a bucket's lifecycle: which objects go by themselves, and when.
//
// Source: API_PutBucketLifecycleConfiguration (read 2026-11). Shown by: TestLifecycle in test/aws.
// Time: what is due is due at a midnight in UTC of the server's clock, also of a test clock, and goes then.
// Differs from AWS: transitions to other storage classes and rules about old versions are refused by name.
func (q *call) putBucketLifecycleConfiguration() error {
	e, err := q.document("LifecycleConfiguration")
	if err != nil {
		return err
	}
	if err := e.only("Rule"); err != nil {
		return err
	}
	lifecycle := &store.Lifecycle{TransitionMinimum: q.header.Get(transitionMinimum)}
	switch lifecycle.TransitionMinimum {
	case "", "all_storage_classes_128K", "varies_by_storage_class":
	default:
		return invalidArgument("Invalid transition default minimum object size", "x-amz-transition-default-minimum-object-size", lifecycle.TransitionMinimum)
	}
	ids := map[string]bool{}
	for i := range e.Children {
		rule, err := readRule(&e.Children[i])
		if err != nil {
			return err
		}
		if rule.ID == "" {
			rule.ID = "rule-" + strconv.Itoa(i+1) // AWS makes one up, too
		}
		if ids[rule.ID] {
			return newError(http.StatusBadRequest, "InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule")
		}
		ids[rule.ID] = true
		lifecycle.Rules = append(lifecycle.Rules, rule)
	}
	if n := len(lifecycle.Rules); n == 0 || n > rulesMax {
		return errMalformed
	}
	if _, err := q.api.store.Propose(q.Ctx, store.SetLifecycle{Account: q.Account, Bucket: q.bucket, Lifecycle: lifecycle}); err != nil {
		return err
	}
	q.Writer.Header()[transitionMinimum] = []string{minimumOf(lifecycle)}
	return q.nothing(http.StatusOK)
}

func minimumOf(l *store.Lifecycle) string {
	if l.TransitionMinimum == "" {
		return "all_storage_classes_128K" // what AWS takes for nothing
	}
	return l.TransitionMinimum
}

func readRule(e *element) (r store.Rule, err error) {
	for _, name := range []string{"Transition", "NoncurrentVersionTransition", "NoncurrentVersionExpiration"} {
		if e.child(name) != nil {
			return r, notImplemented("The lifecycle action " + name)
		}
	}
	if err := e.only("ID", "Status", "Prefix", "Filter", "Expiration", "AbortIncompleteMultipartUpload"); err != nil {
		return r, err
	}
	if r.ID = e.text("ID"); len(r.ID) > idMax {
		return r, newError(http.StatusBadRequest, "InvalidArgument", "ID length should not exceed allowed limit of 255")
	}
	switch e.text("Status") {
	case "Enabled":
		r.Enabled = true
	case "Disabled":
	default:
		return r, errMalformed
	}
	if err := readFilter(e, &r); err != nil {
		return r, err
	}
	return r, readActions(e, &r)
}

// readFilter reads which objects a rule is about.
func readFilter(e *element, r *store.Rule) error {
	filter := e.child("Filter")
	switch {
	case filter == nil && e.child("Prefix") == nil, filter != nil && e.child("Prefix") != nil:
		return errMalformed
	case filter == nil:
		r.Shape, r.Prefix = store.OldPrefix, e.exactText("Prefix")
		return nil
	}
	conditions := filter
	if and := filter.child("And"); and != nil {
		if len(filter.Children) > 1 {
			return errMalformed
		}
		conditions, r.Shape = and, store.AndFilter
	} else if len(filter.Children) > 1 {
		return errMalformed
	}
	if err := conditions.only("Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan"); err != nil {
		return err
	}
	r.Prefix = conditions.exactText("Prefix")
	for i := range conditions.Children {
		switch c := &conditions.Children[i]; c.XMLName.Local {
		case "Tag":
			if r.Tags == nil {
				r.Tags = map[string]string{}
			}
			if err := addTag(r.Tags, c.exactText("Key"), c.exactText("Value")); err != nil {
				return err
			}
		case "ObjectSizeGreaterThan", "ObjectSizeLessThan":
			n, err := strconv.ParseInt(conditions.text(c.XMLName.Local), 10, 64)
			if err != nil || n < 0 {
				return errMalformed
			}
			if c.XMLName.Local == "ObjectSizeGreaterThan" {
				r.LargerThan = &n
			} else {
				r.SmallerThan = &n
			}
		}
	}
	return nil
}

// readActions reads what a rule does.
func readActions(e *element, r *store.Rule) error {
	if x := e.child("Expiration"); x != nil {
		if x.child("ExpiredObjectDeleteMarker") != nil {
			return notImplemented("The lifecycle action ExpiredObjectDeleteMarker")
		}
		if err := x.only("Days", "Date"); err != nil {
			return err
		}
		if len(x.Children) != 1 {
			return errMalformed
		}
		var err error
		if x.child("Days") != nil {
			r.ExpirationDays, err = positive(x.text("Days"), "'Days' for Expiration action must be a positive integer")
		} else {
			r.ExpirationDate, err = midnight(x.text("Date"))
		}
		if err != nil {
			return err
		}
	}
	if x := e.child("AbortIncompleteMultipartUpload"); x != nil {
		if err := x.only("DaysAfterInitiation"); err != nil {
			return err
		}
		var err error
		if r.AbortDays, err = positive(x.text("DaysAfterInitiation"), "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer"); err != nil {
			return err
		}
		if len(r.Tags) > 0 || r.LargerThan != nil || r.SmallerThan != nil {
			return invalidRequest("AbortIncompleteMultipartUpload cannot be specified with Tags or object sizes.")
		}
	}
	if r.ExpirationDays == 0 && r.ExpirationDate.IsZero() && r.AbortDays == 0 {
		return invalidRequest("At least one action needs to be specified in a rule")
	}
	return nil
}

func positive(text, message string) (int, error) {
	n, err := strconv.ParseInt(text, 10, 31)
	if err != nil {
		return 0, errMalformed
	}
	if n < 1 || n > 1_000_000 { // more than this clock's years have days
		return 0, newError(http.StatusBadRequest, "InvalidArgument", message)
	}
	return int(n), nil
}

func midnight(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			t = t.UTC()
			if !t.Truncate(24 * time.Hour).Equal(t) {
				return t, newError(http.StatusBadRequest, "InvalidArgument", "'Date' must be at midnight GMT")
			}
			return t, nil
		}
	}
	return time.Time{}, errMalformed
}

type (
	lifecycleTag  struct{ Key, Value string }
	lifecycleTest struct {
		Prefix                *string        `xml:",omitempty"`
		Tag                   []lifecycleTag `xml:",omitempty"`
		ObjectSizeGreaterThan *int64         `xml:",omitempty"`
		ObjectSizeLessThan    *int64         `xml:",omitempty"`
	}
	lifecycleFilter struct {
		lifecycleTest
		And *lifecycleTest `xml:",omitempty"`
	}
	lifecycleRule struct {
		ID         string
		Prefix     *string          `xml:",omitempty"`
		Filter     *lifecycleFilter `xml:",omitempty"`
		Status     string
		Expiration *struct {
			Days int    `xml:",omitempty"`
			Date string `xml:",omitempty"`
		} `xml:",omitempty"`
		AbortIncompleteMultipartUpload *struct{ DaysAfterInitiation int } `xml:",omitempty"`
	}
)

// getBucketLifecycleConfiguration gives the lifecycle as it was put.
//
// Source: API_GetBucketLifecycleConfiguration (read 2026-11). Shown by: TestLifecycle in test/aws.
// Differs from AWS: none known.
func (q *call) getBucketLifecycleConfiguration() error {
	b, err := q.findBucket()
	if err != nil {
		return err
	}
	if b.Lifecycle == nil {
		return withResource(newError(http.StatusNotFound, "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"), "BucketName", b.Name)
	}
	out := struct {
		XMLName xml.Name
		Rule    []lifecycleRule
	}{XMLName: root("LifecycleConfiguration")}
	for i := range b.Lifecycle.Rules {
		out.Rule = append(out.Rule, ruleDocument(&b.Lifecycle.Rules[i]))
	}
	q.Writer.Header()[transitionMinimum] = []string{minimumOf(b.Lifecycle)}
	return q.reply(out)
}

func ruleDocument(r *store.Rule) lifecycleRule {
	d := lifecycleRule{ID: r.ID, Status: "Disabled"}
	if r.Enabled {
		d.Status = "Enabled"
	}
	test := lifecycleTest{ObjectSizeGreaterThan: r.LargerThan, ObjectSizeLessThan: r.SmallerThan}
	for _, key := range slices.Sorted(maps.Keys(r.Tags)) {
		test.Tag = append(test.Tag, lifecycleTag{key, r.Tags[key]})
	}
	if r.Prefix != "" || r.Shape != store.AndFilter && len(r.Tags) == 0 && r.LargerThan == nil && r.SmallerThan == nil {
		test.Prefix = &r.Prefix
	}
	switch r.Shape {
	case store.OldPrefix:
		d.Prefix = &r.Prefix
	case store.AndFilter:
		d.Filter = &lifecycleFilter{And: &test}
	default:
		d.Filter = &lifecycleFilter{lifecycleTest: test}
	}
	if r.ExpirationDays > 0 || !r.ExpirationDate.IsZero() {
		d.Expiration = &struct {
			Days int    `xml:",omitempty"`
			Date string `xml:",omitempty"`
		}{Days: r.ExpirationDays}
		if !r.ExpirationDate.IsZero() {
			d.Expiration.Date = stamp(r.ExpirationDate)
		}
	}
	if r.AbortDays > 0 {
		d.AbortIncompleteMultipartUpload = &struct{ DaysAfterInitiation int }{r.AbortDays}
	}
	return d
}

// deleteBucketLifecycle lets a bucket keep everything.
//
// Source: API_DeleteBucketLifecycle (read 2026-11). Shown by: TestLifecycle in test/aws.
// Differs from AWS: none known.
func (q *call) deleteBucketLifecycle() error {
	if _, err := q.api.store.Propose(q.Ctx, store.SetLifecycle{Account: q.Account, Bucket: q.bucket}); err != nil {
		return err
	}
	return q.nothing(http.StatusNoContent)
}
