package kinesis

import (
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// StopStreamEncryption leaves the records that come from now on unsealed. Those that are sealed stay so, and readable.
//
// Source: API_StopStreamEncryption (read 2026-11). Shown by: TestEncryption in test/aws.
// KeyId must be the one in use. A stream that is not encrypted stays as it is.
// Differs from AWS: it is done when it answers, the stream stays ACTIVE.
func (a *API) stopStreamEncryption(c *edge.Call, in *shapes.StopStreamEncryptionInput) (*nothing, error) {
	stream, err := a.stream(c, in.StreamName, in.StreamARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	if *in.EncryptionType != "KMS" {
		return nil, fault.New(fault.Invalid, "EncryptionType must be KMS.")
	}
	if stream.Encryption != nil && stream.Encryption.KeyID != *in.KeyId {
		return nil, fault.New(fault.Invalid, "Stream %s under account %s is encrypted under %s, not under %s.",
			stream.Name, stream.Account, stream.Encryption.KeyID, *in.KeyId)
	}
	return nil, a.control.Propose(c.Ctx, catalog.StopEncryption{
		Address: catalog.Address{Account: stream.Account, Region: stream.Region, Name: stream.Name},
	})
}
