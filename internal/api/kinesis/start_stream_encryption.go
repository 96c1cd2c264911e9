package kinesis

import (
	"strings"

	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/envelope"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/wire/cborproto"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// StartStreamEncryption seals the records that come from now on, under a new data key, which a master key wraps. Records that are there stay as they are.
//
// Source: API_StartStreamEncryption (read 2026-11). Shown by: TestEncryption and TestEncryptionKeys in test/aws.
// KeyId: alias/aws/kinesis is always there. Every other alias, name or ARN of a key must be that of a master key (weir keys master create).
// Differs from AWS: it is done when it answers, the stream stays ACTIVE; no permission for the key is asked for, beside the one for the stream.
func (a *API) startStreamEncryption(c *edge.Call, in *shapes.StartStreamEncryptionInput) (*nothing, error) {
	stream, err := a.stream(c, in.StreamName, in.StreamARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	if *in.EncryptionType != "KMS" {
		return nil, fault.New(fault.Invalid, "EncryptionType must be KMS; StopStreamEncryption ends encryption.")
	}
	if a.keys == nil {
		return nil, fault.New(fault.Unsupported, "Encryption is not supported by a server without master keys.")
	}
	name, err := a.masterKey(c, *in.KeyId)
	if err != nil {
		return nil, err
	}
	version, wrapped, err := a.keys.Wrap(name, stream.Group)
	if err != nil {
		return nil, err
	}
	return nil, a.control.Propose(c.Ctx, catalog.StartEncryption{
		Address: address(stream), Group: stream.Group, KeyID: *in.KeyId, DataKey: catalog.DataKey{Master: version, Wrapped: wrapped},
	})
}

// masterKey is the name of the master key that a KeyId means: NAME, alias/NAME, or an ARN of a key or an alias (API_StartStreamEncryption). An
// *envelope.MasterError when there is none.
func (a *API) masterKey(c *edge.Call, keyID string) (string, error) {
	name := keyID
	if parsed, err := arn.Parse(keyID); err == nil && parsed.Service == "kms" {
		if err := sameRegion(c, parsed); err != nil {
			return "", err
		}
		name = strings.TrimPrefix(parsed.Resource, "key/")
	}
	name = strings.TrimPrefix(name, "alias/")
	known, err := a.keys.Has(name)
	if err == nil && !known {
		err = fault.As(fault.Invalid, &envelope.MasterError{Master: keyID, Missing: true}, "")
	}
	return name, err
}

// encryptionOf is how the records of a stream that come are encrypted.
func encryptionOf(stream *catalog.Stream) (*shapes.EncryptionType, *string) {
	if stream.Encryption == nil {
		return ptr(shapes.EncryptionTypeNone), nil
	}
	return ptr(shapes.EncryptionTypeKms), ptr(stream.Encryption.KeyID)
}

// sealedJSON is the member of an answer that says that a record is encrypted. It is left out of all others, as AWS leaves it out.
const sealedJSON = `,"EncryptionType":"KMS"`

// appendSealedCBOR is sealedJSON for CBOR.
func appendSealedCBOR(dst []byte) []byte {
	return cborproto.AppendText(cborproto.AppendText(dst, "EncryptionType"), "KMS")
}
