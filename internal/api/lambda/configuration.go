package lambda

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/functions"
	"github.com/weir-stream/weir/internal/sandbox"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

// Limits and defaults of a function's configuration (Lambda quotas and API_CreateFunction, read 2026-11).
const (
	memoryDefaultMB = 128
	memoryMaxMB     = 10_240
	timeoutDefault  = 3
	timeoutMax      = 900
	ephemeralMB     = 512 // the only size that this version has
	envBytesMax     = 4 << 10
	tagsMax         = 50
)

// configuration is a version as the API describes it. qualifier is what the ARN ends in; empty is nothing.
func configuration(f *functions.Function, v *functions.Version, qualifier string) *shapes.FunctionConfiguration {
	out := &shapes.FunctionConfiguration{
		FunctionName: ptr(f.Name), FunctionArn: ptr(f.ARN(qualifier)), Runtime: some(shapes.Runtime(v.Config.Runtime)), Role: ptr(v.Config.Role), Handler: some(v.Config.Handler),
		CodeSize: ptr(v.Code.Size), Description: ptr(v.Config.Description), Timeout: ptr(int32(v.Config.TimeoutSeconds)), MemorySize: ptr(int32(v.Config.MemoryMB)),
		LastModified: ptr(v.Modified.UTC().Format("2006-01-02T15:04:05.000+0000")), CodeSha256: ptr(v.Code.Base64()), Version: ptr(v.Number),
		TracingConfig: &shapes.TracingConfigResponse{Mode: ptr(shapes.TracingModePassThrough)}, RevisionId: ptr(v.Revision), State: ptr(shapes.State(v.State)),
		PackageType: ptr(shapes.PackageTypeZip), Architectures: []shapes.Architecture{shapes.Architecture(v.Config.Architecture)},
		EphemeralStorage: &shapes.EphemeralStorage{Size: ptr(int32(v.Config.EphemeralMB))},
		SnapStart:        &shapes.SnapStartResponse{ApplyOn: ptr(shapes.SnapStartApplyOnNone), OptimizationStatus: ptr(shapes.SnapStartOptimizationStatusOff)},
		LoggingConfig:    &shapes.LoggingConfig{LogFormat: ptr(shapes.LogFormatText), LogGroup: ptr("/aws/lambda/" + f.Name)},
	}
	if len(v.Config.Env) > 0 {
		out.Environment = &shapes.EnvironmentResponse{Variables: v.Config.Env}
	}
	switch v.State {
	case functions.Pending:
		out.StateReason, out.StateReasonCode = ptr("The function is being created."), ptr(shapes.StateReasonCodeCreating)
	case functions.Failed:
		out.StateReason, out.StateReasonCode = ptr(v.Reason), ptr(shapes.StateReasonCodeInvalidZipFileException)
	}
	if v.Update != "" {
		out.LastUpdateStatus = ptr(shapes.LastUpdateStatus(v.Update))
	}
	switch v.Update {
	case functions.InProgress:
		out.LastUpdateStatusReason = ptr("The function is being created.")
	case functions.UpdateFailed:
		out.LastUpdateStatusReason, out.LastUpdateStatusReasonCode = ptr(v.UpdateReason), ptr(shapes.LastUpdateStatusReasonCodeInvalidZipFileException)
	}
	return out
}

// options are those that CreateFunction and UpdateFunctionConfiguration both have and that this version knows in one form only.
type options struct {
	vpc        *shapes.VpcConfig
	deadLetter *shapes.DeadLetterConfig
	kmsKey     *string
	tracing    *shapes.TracingConfig
	layers     []string
	files      []shapes.FileSystemConfig
	image      *shapes.ImageConfig
	ephemeral  *shapes.EphemeralStorage
	snapStart  *shapes.SnapStart
	logging    *shapes.LoggingConfig
	capacity   *shapes.CapacityProviderConfig
	durable    *shapes.DurableConfig
}

// refuse refuses by name what would need more than this version has. What says the default is taken.
func (o options) refuse(name string) error {
	switch {
	case o.vpc != nil && len(o.vpc.SubnetIds)+len(o.vpc.SecurityGroupIds) > 0:
		return unsupported("VpcConfig")
	case o.vpc != nil && deref(o.vpc.Ipv6AllowedForDualStack):
		return unsupported("VpcConfig with Ipv6AllowedForDualStack")
	case o.deadLetter != nil && deref(o.deadLetter.TargetArn) != "":
		return unsupported("DeadLetterConfig: queues and topics")
	case deref(o.kmsKey) != "":
		return unsupported("KMSKeyArn")
	case o.tracing != nil && deref(o.tracing.Mode) == shapes.TracingModeActive:
		return unsupported("TracingConfig with mode Active")
	case len(o.layers) > 0:
		return unsupported("Layers")
	case len(o.files) > 0:
		return unsupported("FileSystemConfigs")
	case o.image != nil:
		return unsupported("ImageConfig")
	case o.ephemeral != nil && deref(o.ephemeral.Size) != ephemeralMB:
		return unsupported(fmt.Sprintf("EphemeralStorage of another size than %d MB", ephemeralMB))
	case o.snapStart != nil && deref(o.snapStart.ApplyOn) == shapes.SnapStartApplyOnPublishedVersions:
		return unsupported("SnapStart")
	case o.capacity != nil:
		return unsupported("CapacityProviderConfig")
	case o.durable != nil:
		return unsupported("DurableConfig")
	}
	if l := o.logging; l != nil {
		switch {
		case deref(l.LogFormat) == shapes.LogFormatJson || l.ApplicationLogLevel != nil || l.SystemLogLevel != nil:
			return unsupported("LoggingConfig with LogFormat JSON")
		case l.LogGroup != nil && *l.LogGroup != "/aws/lambda/"+name:
			return unsupported("LoggingConfig with a LogGroup of another name than the function's")
		}
	}
	return nil
}

// check holds a configuration against what Lambda and this machine can do.
func check(config *functions.Config) error {
	switch {
	case config.Runtime == "" || config.Handler == "":
		return fault.New(fault.Invalid, "Runtime and Handler are mandatory parameters for functions created with deployment packages.")
	case config.MemoryMB > memoryMaxMB:
		return fault.New(fault.Invalid, "'MemorySize' value failed to satisfy constraint: Member must have value less than or equal to %d", memoryMaxMB)
	case config.TimeoutSeconds > timeoutMax:
		return fault.New(fault.Invalid, "'Timeout' value failed to satisfy constraint: Member must have value less than or equal to %d", timeoutMax)
	}
	if err := checkEnvironment(config.Env); err != nil {
		return err
	}
	if remote, ok := config.Env[functions.URLVariable]; ok {
		u, err := url.Parse(remote)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return fault.New(fault.Invalid, "The environment variable %s is not a URL of http or https: %q", functions.URLVariable, remote)
		}
		return nil // whatever the runtime is, it runs elsewhere
	}
	return sandbox.Supported(config.Runtime)
}

// checkEnvironment holds variables against Lambda's rules (API_Environment; Lambda quotas: 4 KB in all).
func checkEnvironment(env map[string]string) error {
	total := 0
	var reserved []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		total += len(name) + len(env[name])
		if sandbox.Reserved(name) {
			reserved = append(reserved, name)
		}
		if strings.ContainsRune(env[name], 0) || !utf8.ValidString(env[name]) {
			return fault.New(fault.Invalid, "The environment variable %s has a value that no environment can hold.", name)
		}
	}
	if len(reserved) > 0 {
		return fault.New(fault.Invalid, "Lambda was unable to configure your environment variables because the environment variables you have provided contains "+
			"reserved keys that are currently not supported for modification. Reserved keys used in this request: %s", strings.Join(reserved, ", "))
	}
	if total > envBytesMax {
		return fault.New(fault.Invalid, "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit.")
	}
	return nil
}

// variables is an Environment as a configuration has it.
func variables(e *shapes.Environment) map[string]string {
	if e == nil || len(e.Variables) == 0 {
		return nil
	}
	return e.Variables
}

// architecture is that of the request, which must be the machine's: a zip file holds one.
func (a *API) architecture(wanted []shapes.Architecture) (string, error) {
	if len(wanted) == 0 || string(wanted[0]) == a.arch {
		return a.arch, nil
	}
	return "", fault.New(fault.Unsupported, "Architectures %s is not this machine's, which is %s.", wanted[0], a.arch)
}
