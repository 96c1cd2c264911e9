package s3

import (
	"encoding/xml"
	"net/http"
	"strings"

	"github.com/weir-stream/weir/internal/blob/store"
)

// deleteObject removes a key; one that has nothing is no error.
//
// Source: API_DeleteObject (read 2026-11). Shown by: TestDeleteObjects in test/aws.
// Differs from AWS: there is no versioning, so nothing is kept behind a delete marker.
func (q *call) deleteObject() error {
	for _, name := range []string{"X-Amz-If-Match-Last-Modified-Time", "X-Amz-If-Match-Size"} {
		if q.header.Get(name) != "" {
			return notImplemented("The condition " + strings.ToLower(name))
		}
	}
	condition, err := q.writeCondition()
	if err != nil {
		return err
	}
	if condition.IfNoneMatch {
		return notImplemented("If-None-Match in a delete")
	}
	r, err := q.api.store.Propose(q.Ctx, store.DeleteObjects{Account: q.Account, Bucket: q.bucket, Items: []store.Delete{{Key: q.key, IfMatch: condition.IfMatch}}})
	if err != nil {
		return err
	}
	if r.Failed[0] != nil {
		return errPrecondition
	}
	return q.nothing(http.StatusNoContent)
}

// deleteMax is how many keys one request may name (API_DeleteObjects).
const deleteMax = 1000

// deleteObjects removes many keys with one command, and says of each what became of it.
//
// Source: API_DeleteObjects (read 2026-11). Shown by: TestDeleteObjects in test/aws.
// Differs from AWS: there is no versioning; neither Content-MD5 nor a checksum is required, and what is sent of them is checked.
func (q *call) deleteObjects() error {
	e, err := q.document("Delete")
	if err != nil {
		return err
	}
	if err := e.only("Object", "Quiet"); err != nil {
		return err
	}
	type deleted struct{ Key string }
	type failed struct{ Key, Code, Message string }
	out := struct {
		XMLName xml.Name
		Deleted []deleted
		Error   []failed
	}{XMLName: root("DeleteResult")}
	command := store.DeleteObjects{Account: q.Account, Bucket: q.bucket}
	for i := range e.Children {
		item := &e.Children[i]
		if item.XMLName.Local != "Object" {
			continue
		}
		if err := item.only("Key", "VersionId", "ETag", "LastModifiedTime", "Size"); err != nil {
			return err
		}
		key := item.exactText("Key")
		version := item.text("VersionId")
		switch {
		case key == "":
			return errMalformed
		case item.child("LastModifiedTime") != nil || item.child("Size") != nil:
			out.Error = append(out.Error, failed{key, "NotImplemented", "The conditions LastModifiedTime and Size are not supported by this version of Weir."})
			continue
		case version != "" && version != "null":
			out.Error = append(out.Error, failed{key, "NoSuchVersion", "The specified version does not exist."})
			continue
		}
		if err := q.may("DeleteObject", arnOf(q.bucket, key)); err != nil {
			out.Error = append(out.Error, failed{key, "AccessDenied", q.sent(err).message})
			continue
		}
		command.Items = append(command.Items, store.Delete{Key: key, IfMatch: unquoted(item.text("ETag"))})
	}
	if n := len(command.Items) + len(out.Error); n == 0 || n > deleteMax {
		return errMalformed
	}
	if len(command.Items) == 0 {
		return q.reply(out)
	}
	r, err := q.api.store.Propose(q.Ctx, command)
	if err != nil {
		return err
	}
	quiet := e.text("Quiet") == "true"
	for i, item := range command.Items {
		if refusal := r.Failed[i]; refusal != nil {
			out.Error = append(out.Error, failed{item.Key, refusal.Code, refusal.Message})
		} else if !quiet {
			out.Deleted = append(out.Deleted, deleted{item.Key})
		}
	}
	return q.reply(out)
}
