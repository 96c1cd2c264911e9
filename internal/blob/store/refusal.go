package store

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold/commands"
)

// Refusal is why a command was not done, under S3's name for it. It is the cause inside a fault of the matching kind; AsRefusal takes it out again.
type Refusal struct {
	Code    string `json:"code"`    // S3's, such as NoSuchBucket (API_Error)
	Message string `json:"message"` // for the customer
}

// Error is code and message.
func (r *Refusal) Error() string { return r.Code + ": " + r.Message }

// AsRefusal finds the Refusal in err's chain.
func AsRefusal(err error) (*Refusal, bool) {
	var r *Refusal
	ok := errors.As(err, &r)
	return r, ok
}

// kindOf is the kind of each refusal. The codes are in logs and snapshots: they never change.
var kindOf = map[string]fault.Kind{
	"NoSuchBucket":               fault.NotFound,
	"NoSuchKey":                  fault.NotFound,
	"NoSuchUpload":               fault.NotFound,
	"BucketAlreadyExists":        fault.Exists,
	"BucketAlreadyOwnedByYou":    fault.Exists,
	"BucketNotEmpty":             fault.WrongState,
	"PreconditionFailed":         fault.Conflict,
	"ConditionalRequestConflict": fault.Conflict,
	"AccessDenied":               fault.Denied,
	"InvalidPart":                fault.Invalid,
	"InvalidPartOrder":           fault.Invalid,
	"EntityTooSmall":             fault.Invalid,
	"InvalidRequest":             fault.Invalid,
	"BadDigest":                  fault.Invalid,
	"TooManyBuckets":             fault.LimitExceeded,
}

// refuse makes a refusal.
func refuse(code, message string) error {
	return fault.As(kindOf[code], &Refusal{code, message}, "")
}

// The refusals that say nothing of their own. The messages are S3's (API_Error and answers seen on the wire).
var (
	errNoBucket     = refuse("NoSuchBucket", "The specified bucket does not exist")
	errNoKey        = refuse("NoSuchKey", "The specified key does not exist.")
	errNoUpload     = refuse("NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.")
	errDenied       = refuse("AccessDenied", "Access Denied")
	errNotEmpty     = refuse("BucketNotEmpty", "The bucket you tried to delete is not empty")
	errTaken        = refuse("BucketAlreadyExists", "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.")
	errOwned        = refuse("BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.")
	errPrecondition = refuse("PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
	errMoved        = refuse("ConditionalRequestConflict", "The conditional request cannot succeed due to a conflicting operation against this resource.")
	errPart         = refuse("InvalidPart", "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.")
	errPartOrder    = refuse("InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number.")
	errTooSmall     = refuse("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
)

// Result is what a command that was done answers.
type Result struct {
	Refusal  *Refusal         `json:"refusal,omitempty"` // set when it was not done; then nothing else is
	Seq      int64            `json:"seq,omitempty"`     // of the object that it made
	At       time.Time        `json:"at,omitzero"`       // when it was done, in the log's time
	ETag     string           `json:"etag,omitempty"`
	Checksum Checksum         `json:"checksum,omitzero"`
	Failed   map[int]*Refusal `json:"failed,omitempty"` // by place in DeleteObjects
}

func encodeResult(r Result, err error) []byte {
	if err != nil {
		refusal, is := AsRefusal(err)
		if !is {
			panic("store: a command refused without a code: " + err.Error())
		}
		r = Result{Refusal: refusal}
	}
	b, err := json.Marshal(r)
	if err != nil {
		panic("store: " + err.Error()) // strings, numbers and times of the log
	}
	return b
}

func decodeResult(b []byte) (Result, error) {
	var r Result
	if err := commands.Strictly(b, &r); err != nil {
		return Result{}, fault.As(fault.Corrupt, err, "result of a command")
	}
	if r.Refusal != nil {
		return Result{}, fault.As(kindOf[r.Refusal.Code], r.Refusal, "")
	}
	return r, nil
}
