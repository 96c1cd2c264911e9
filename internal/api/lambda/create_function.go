package lambda

import (
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/functions"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

// CreateFunction makes a function of a zip file. It answers at once; the function is Pending until its code lies unpacked.
//
// Source: API_CreateFunction (read 2026-11). Shown by: TestFunctionLife, TestCodeFromObject, TestRefusedOptions in test/lambda.
// Differs: zip files only; the architecture is the machine's; layers, VPC, file systems, dead-letter queues, keys, tracing, SnapStart, JSON logs and other options that this
// version does not have are refused by name. The role is kept and given back: nothing is assumed. The variable WEIR_FUNCTION_URL makes the function a remote one.
func (a *API) createFunction(c *edge.Call, in *shapes.CreateFunctionRequest) (*shapes.FunctionConfiguration, error) {
	n, f, err := a.allowed(c, in.FunctionName, nil)
	switch {
	case err != nil:
		return nil, err
	case n.Account != c.Account:
		return nil, fault.New(fault.Invalid, "The function %s is in another account.", n.arn())
	case n.qualifier != "":
		return nil, fault.New(fault.Invalid, "This operation does not permit a qualifier on the function ARN")
	case f != nil:
		return nil, fault.New(fault.Exists, "Function already exist: %s", n.Name.Name)
	case in.PackageType != nil && *in.PackageType != shapes.PackageTypeZip:
		return nil, unsupported("PackageType " + string(*in.PackageType))
	case in.CodeSigningConfigArn != nil:
		return nil, unsupported("CodeSigningConfigArn")
	case in.TenancyConfig != nil:
		return nil, unsupported("TenancyConfig")
	case in.PublishTo != nil:
		return nil, unsupported("PublishTo")
	case len(in.Tags) > tagsMax:
		return nil, fault.New(fault.Invalid, "Tags cannot exceed more than %d per function.", tagsMax)
	}
	o := options{in.VpcConfig, in.DeadLetterConfig, in.KMSKeyArn, in.TracingConfig, in.Layers, in.FileSystemConfigs, in.ImageConfig, in.EphemeralStorage, in.SnapStart,
		in.LoggingConfig, in.CapacityProviderConfig, in.DurableConfig}
	if err := o.refuse(n.Name.Name); err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	config := functions.Config{
		Runtime: string(deref(in.Runtime)), Handler: deref(in.Handler), Role: deref(in.Role), Description: deref(in.Description), MemoryMB: memoryDefaultMB, TimeoutSeconds: timeoutDefault,
		EphemeralMB: ephemeralMB, Env: variables(in.Environment),
	}
	if in.MemorySize != nil {
		config.MemoryMB = int(*in.MemorySize)
	}
	if in.Timeout != nil {
		config.TimeoutSeconds = int(*in.Timeout)
	}
	if config.Architecture, err = a.architecture(in.Architectures); err != nil {
		return nil, err
	}
	if err := check(&config); err != nil {
		return nil, err
	}
	code, release, err := a.code(c, source{in.Code.ZipFile, in.Code.S3Bucket, in.Code.S3Key, in.Code.S3ObjectVersion, in.Code.S3ObjectStorageMode, in.Code.ImageUri, in.Code.SourceKMSKeyArn})
	if err != nil {
		return nil, err
	}
	defer release()
	var number string
	if err := a.functions.Propose(c.Ctx, functions.CreateFunction{
		Name: n.Name, Config: config, Code: code, Publish: deref(in.Publish), Tags: in.Tags, CodeBytesMax: functions.CodeBytesMax}, &number); err != nil {
		return nil, err
	}
	return a.describe(n, number)
}

// describe is a version as the API describes it after a change. A published one has its number in its ARN.
func (a *API) describe(n named, number string) (*shapes.FunctionConfiguration, error) {
	f := a.functions.Catalog().Function(n.Account, n.Region, n.Name.Name)
	if f == nil || f.Version(number) == nil { // deleted meanwhile
		return nil, functions.NotFound(n.arn())
	}
	qualifier := number
	if number == functions.Latest {
		qualifier = ""
	}
	return configuration(f, f.Version(number), qualifier), nil
}

// source is where a request says that code comes from.
type source struct {
	zip                  []byte
	bucket, key, version *string
	mode                 *shapes.S3ObjectStorageMode
	image, kmsKey        *string
}

// code makes the code that a request brings, or names, durable until release.
func (a *API) code(c *edge.Call, from source) (functions.Code, func(), error) {
	switch {
	case from.image != nil:
		return functions.Code{}, nil, unsupported("ImageUri")
	case deref(from.kmsKey) != "":
		return functions.Code{}, nil, unsupported("SourceKMSKeyArn")
	case from.mode != nil && *from.mode != shapes.S3ObjectStorageModeCopy:
		return functions.Code{}, nil, unsupported("S3ObjectStorageMode " + string(*from.mode))
	case from.zip != nil && (from.bucket != nil || from.key != nil):
		return functions.Code{}, nil, fault.New(fault.Invalid, "Please do not provide other FunctionCode parameters when providing a ZipFile.")
	case from.zip == nil && (from.bucket == nil || from.key == nil):
		return functions.Code{}, nil, fault.New(fault.Invalid, "Please provide a source for function code.")
	}
	zip := from.zip
	if zip == nil {
		var err error
		if zip, err = a.functions.Object(c.Ctx, c.Account, *from.bucket, *from.key, deref(from.version)); err != nil {
			return functions.Code{}, nil, err
		}
	}
	if len(zip) > functions.ZipBytesMax && from.zip != nil {
		return functions.Code{}, nil, fault.New(fault.Invalid, "Zipped size must be smaller than %d bytes", functions.ZipBytesMax)
	}
	return a.functions.Keep(zip)
}
