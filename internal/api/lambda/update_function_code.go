package lambda

import (
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/functions"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

// UpdateFunctionCode gives $LATEST another code. The next event runs it.
//
// Source: API_UpdateFunctionCode (read 2026-11). Shown by: TestFunctionLife in test/lambda.
// Differs: as CreateFunction.
func (a *API) updateFunctionCode(c *edge.Call, in *shapes.UpdateFunctionCodeRequest) (*shapes.FunctionConfiguration, error) {
	n, f, err := a.findWhole(c, in.FunctionName)
	if err != nil {
		return nil, err
	}
	if in.PublishTo != nil {
		return nil, unsupported("PublishTo")
	}
	arch := ""
	if len(in.Architectures) > 0 {
		if arch, err = a.architecture(in.Architectures); err != nil {
			return nil, err
		}
	}
	code, release, err := a.code(c, source{in.ZipFile, in.S3Bucket, in.S3Key, in.S3ObjectVersion, in.S3ObjectStorageMode, in.ImageUri, in.SourceKMSKeyArn})
	if err != nil {
		return nil, err
	}
	defer release()
	if deref(in.DryRun) {
		would := f.Latest
		would.Code = code
		return configuration(f, &would, ""), nil
	}
	var number string
	if err := a.functions.Propose(c.Ctx, functions.UpdateCode{Name: n.Name, Code: code, Architecture: arch, Revision: deref(in.RevisionId), Publish: deref(in.Publish),
		CodeBytesMax: functions.CodeBytesMax}, &number); err != nil {
		return nil, err
	}
	return a.describe(n, number)
}
