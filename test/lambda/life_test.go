package lambda

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/weir-stream/weir/internal/api/lambda"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

// A function goes from Pending to Active, changes its code and its configuration, and goes.
func TestFunctionLife(t *testing.T) {
	s := shared.session(t)
	made, err := s.CreateFunction(s.ctx, func() *sdk.CreateFunctionInput {
		in := s.input("tolls", "echo")
		in.Description, in.Tags, in.Environment = aws.String("counts"), map[string]string{"team": "roads"}, &types.Environment{Variables: map[string]string{"LANES": "4"}}
		return in
	}())
	s.must(err)
	if made.State != types.StatePending && made.State != types.StateActive || *made.FunctionArn != s.arn("tolls") || *made.Version != "$LATEST" || made.PackageType != types.PackageTypeZip ||
		*made.MemorySize != 512 || *made.Timeout != 20 || made.Environment.Variables["LANES"] != "4" || *made.Role != role || *made.RevisionId == "" {
		t.Errorf("%+v", made)
	}
	s.must(sdk.NewFunctionActiveV2Waiter(s, func(o *sdk.FunctionActiveV2WaiterOptions) { o.MinDelay, o.MaxDelay = 1e6, 1e7 }).Wait(s.ctx, &sdk.GetFunctionInput{FunctionName: aws.String("tolls")}, patience))
	got, err := s.GetFunction(s.ctx, &sdk.GetFunctionInput{FunctionName: aws.String(s.arn("tolls"))})
	s.must(err)
	if got.Tags["team"] != "roads" || got.Configuration.State != types.StateActive || got.Code.Location != nil || got.Configuration.LastUpdateStatus != types.LastUpdateStatusSuccessful {
		t.Errorf("%+v %+v", got.Configuration, got.Code)
	}
	if _, err := s.CreateFunction(s.ctx, s.input("tolls", "echo")); err == nil {
		t.Error("made twice")
	} else {
		s.refused(err, "ResourceConflictException", "Function already exist: tolls")
	}
	if got := answer[echoed](s, s.call("tolls", `{"car":7}`)); fmt.Sprint(got.Event) != "map[car:7]" || got.Env["LANES"] != "4" {
		t.Errorf("%+v", got)
	}

	changed, err := s.UpdateFunctionConfiguration(s.ctx, &sdk.UpdateFunctionConfigurationInput{FunctionName: aws.String("tolls"), Timeout: aws.Int32(7), RevisionId: got.Configuration.RevisionId,
		Environment: &types.Environment{Variables: map[string]string{"LANES": "6"}}})
	s.must(err)
	if *changed.Timeout != 7 || *changed.Description != "counts" || *changed.RevisionId == *got.Configuration.RevisionId {
		t.Errorf("%+v", changed)
	}
	s.active("tolls")
	_, err = s.UpdateFunctionConfiguration(s.ctx, &sdk.UpdateFunctionConfigurationInput{FunctionName: aws.String("tolls"), Timeout: aws.Int32(8), RevisionId: got.Configuration.RevisionId})
	s.refused(err, "PreconditionFailedException", "Revision Id")
	if got := answer[echoed](s, s.call("tolls", `{}`)); got.Env["LANES"] != "6" {
		t.Errorf("the old configuration: %+v", got)
	}

	updated, err := s.UpdateFunctionCode(s.ctx, &sdk.UpdateFunctionCodeInput{FunctionName: aws.String("tolls"), ZipFile: code(t, "other")})
	s.must(err)
	if *updated.CodeSha256 == *made.CodeSha256 || updated.CodeSize == 0 {
		t.Errorf("%+v", updated)
	}
	s.active("tolls")
	_, err = s.UpdateFunctionCode(s.ctx, &sdk.UpdateFunctionCodeInput{FunctionName: aws.String("tolls"), ZipFile: []byte("no zip")})
	s.refused(err, "InvalidParameterValueException", "Could not unzip uploaded file")
	_, err = s.UpdateFunctionCode(s.ctx, &sdk.UpdateFunctionCodeInput{FunctionName: aws.String("tolls"), S3Bucket: aws.String("bucket"), S3Key: aws.String("key")})
	s.refused(err, "InvalidParameterValueException", "NoSuchBucket")
	dry, err := s.UpdateFunctionCode(s.ctx, &sdk.UpdateFunctionCodeInput{FunctionName: aws.String("tolls"), ZipFile: code(t, "third"), DryRun: true})
	s.must(err)
	config, err := s.GetFunctionConfiguration(s.ctx, &sdk.GetFunctionConfigurationInput{FunctionName: aws.String("tolls")})
	s.must(err)
	if *dry.CodeSha256 == *config.CodeSha256 || *config.CodeSha256 != *updated.CodeSha256 {
		t.Error("a dry run left its code")
	}
	signing, err := s.GetFunctionCodeSigningConfig(s.ctx, &sdk.GetFunctionCodeSigningConfigInput{FunctionName: aws.String("tolls")})
	s.must(err)
	if *signing.FunctionName != "tolls" || *signing.CodeSigningConfigArn != "" {
		t.Errorf("%+v", signing)
	}

	_, err = s.DeleteFunction(s.ctx, &sdk.DeleteFunctionInput{FunctionName: aws.String("tolls")})
	s.must(err)
	_, err = s.GetFunction(s.ctx, &sdk.GetFunctionInput{FunctionName: aws.String("tolls")})
	s.refused(err, "ResourceNotFoundException", "Function not found: "+s.arn("tolls"))
	_, err = s.Invoke(s.ctx, &sdk.InvokeInput{FunctionName: aws.String("tolls")})
	s.refused(err, "ResourceNotFoundException", "Function not found: "+s.arn("tolls"))
}

// Code may come from an object of the account.
func TestCodeFromObject(t *testing.T) {
	s, other := shared.session(t), shared.session(t)
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	objects := s3.New(s3.Options{Region: "us-east-1", BaseEndpoint: aws.String("http://" + shared.node.Addr()), UsePathStyle: true, HTTPClient: &http.Client{Transport: transport}, Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: s.account, SecretAccessKey: "any"}, nil
		})})
	_, err := objects.CreateBucket(s.ctx, &s3.CreateBucketInput{Bucket: aws.String("codes")})
	s.must(err)
	_, err = objects.PutObject(s.ctx, &s3.PutObjectInput{Bucket: aws.String("codes"), Key: aws.String("echo.zip"), Body: bytes.NewReader(code(t, "object"))})
	s.must(err)
	from := func(key string) func(*sdk.CreateFunctionInput) {
		return func(in *sdk.CreateFunctionInput) {
			in.Code = &types.FunctionCode{S3Bucket: aws.String("codes"), S3Key: &key}
		}
	}
	s.create("f", "echo", from("echo.zip"))
	if got := answer[echoed](s, s.call("f", `"x"`)); got.Event != "x" {
		t.Errorf("%+v", got)
	}
	in := s.input("g", "echo")
	from("nothing.zip")(in)
	_, err = s.CreateFunction(s.ctx, in)
	s.refused(err, "InvalidParameterValueException", "NoSuchKey")
	from("echo.zip")(in)
	_, err = other.CreateFunction(s.ctx, in)
	s.refused(err, "InvalidParameterValueException", "NoSuchBucket")
	in.Code.S3ObjectVersion = aws.String("v1")
	_, err = s.CreateFunction(s.ctx, in)
	s.refused(err, "InvalidParameterValueException", "S3ObjectVersion")
}

// Each row is an option, and what is said about it.
func TestRefusedOptions(t *testing.T) {
	s := shared.session(t)
	const invalid = "InvalidParameterValueException"
	for name, row := range map[string]struct {
		change     func(*sdk.CreateFunctionInput)
		code, says string
	}{
		"image":     {func(in *sdk.CreateFunctionInput) { in.PackageType = types.PackageTypeImage }, invalid, "PackageType Image"},
		"image uri": {func(in *sdk.CreateFunctionInput) { in.Code = &types.FunctionCode{ImageUri: aws.String("x")} }, invalid, "ImageUri"},
		"no code":   {func(in *sdk.CreateFunctionInput) { in.Code = &types.FunctionCode{} }, invalid, "source for function code"},
		"vpc":       {func(in *sdk.CreateFunctionInput) { in.VpcConfig = &types.VpcConfig{SubnetIds: []string{"subnet-1"}} }, invalid, "VpcConfig"},
		"layers": {func(in *sdk.CreateFunctionInput) {
			in.Layers = []string{"arn:aws:lambda:us-east-1:123456789012:layer:x:1"}
		}, invalid, "Layers"},
		"dead letter": {func(in *sdk.CreateFunctionInput) {
			in.DeadLetterConfig = &types.DeadLetterConfig{TargetArn: aws.String("arn:aws:sqs:us-east-1:123456789012:q")}
		}, invalid, "DeadLetterConfig"},
		"key": {func(in *sdk.CreateFunctionInput) {
			in.KMSKeyArn = aws.String("arn:aws:kms:us-east-1:123456789012:key/x")
		}, invalid, "KMSKeyArn"},
		"dual stack": {func(in *sdk.CreateFunctionInput) {
			in.VpcConfig = &types.VpcConfig{Ipv6AllowedForDualStack: aws.Bool(true)}
		}, invalid, "Ipv6AllowedForDualStack"},
		"tracing": {func(in *sdk.CreateFunctionInput) {
			in.TracingConfig = &types.TracingConfig{Mode: types.TracingModeActive}
		}, invalid, "TracingConfig"},
		"snap start": {func(in *sdk.CreateFunctionInput) {
			in.SnapStart = &types.SnapStart{ApplyOn: types.SnapStartApplyOnPublishedVersions}
		}, invalid, "SnapStart"},
		"storage": {func(in *sdk.CreateFunctionInput) {
			in.EphemeralStorage = &types.EphemeralStorage{Size: aws.Int32(1024)}
		}, invalid, "EphemeralStorage"},
		"logs": {func(in *sdk.CreateFunctionInput) {
			in.LoggingConfig = &types.LoggingConfig{LogFormat: types.LogFormatJson}
		}, invalid, "LogFormat JSON"},
		"files": {func(in *sdk.CreateFunctionInput) {
			in.FileSystemConfigs = []types.FileSystemConfig{{Arn: aws.String("arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-00000000000000000"), LocalMountPath: aws.String("/mnt/x")}}
		}, invalid, "FileSystemConfigs"},
		"runtime": {func(in *sdk.CreateFunctionInput) { in.Runtime = types.RuntimeRuby32 }, invalid, "ruby3.2"},
		"reserved": {func(in *sdk.CreateFunctionInput) {
			in.Environment = &types.Environment{Variables: map[string]string{"AWS_REGION": "mars"}}
		}, invalid, "AWS_REGION"},
		"large env": {func(in *sdk.CreateFunctionInput) {
			in.Environment = &types.Environment{Variables: map[string]string{"LARGE": strings.Repeat("x", 5000)}}
		}, invalid, "4KB"},
		"url": {func(in *sdk.CreateFunctionInput) {
			in.Environment = &types.Environment{Variables: map[string]string{"WEIR_FUNCTION_URL": "ftp://x"}}
		}, invalid, "WEIR_FUNCTION_URL"},
		"timeout":    {func(in *sdk.CreateFunctionInput) { in.Timeout = aws.Int32(901) }, invalid, "Timeout"},
		"no runtime": {func(in *sdk.CreateFunctionInput) { in.Runtime = "" }, invalid, "Runtime and Handler are mandatory"},
		"memory":     {func(in *sdk.CreateFunctionInput) { in.MemorySize = aws.Int32(64) }, "ValidationException", "memorySize"},
		"role":       {func(in *sdk.CreateFunctionInput) { in.Role = aws.String("me") }, "ValidationException", "role"},
		"name":       {func(in *sdk.CreateFunctionInput) { in.FunctionName = aws.String("a b") }, "ValidationException", "functionName"},
		"tags":       {func(in *sdk.CreateFunctionInput) { in.Tags = map[string]string{"aws:x": "y"} }, invalid, "aws: prefixed"},
		"wrong arch": {func(in *sdk.CreateFunctionInput) {
			in.Architectures = []types.Architecture{types.ArchitectureArm64, types.ArchitectureX8664}[archOf():][:1]
		}, invalid, "Architectures"},
		"absolute": {func(in *sdk.CreateFunctionInput) { in.Code.ZipFile = zipped(t, map[string]string{"../x": "y"}) }, invalid, "outside"},
	} {
		in := s.input("f", "echo")
		row.change(in)
		_, err := s.CreateFunction(s.ctx, in)
		t.Run(name, func(t *testing.T) { s.t = t; s.refused(err, row.code, row.says) })
	}
}

// archOf is 0 where arm64 is the other architecture and 1 where x86_64 is.
func archOf() int {
	if machine == "amd64" {
		return 0
	}
	return 1
}

// Versions do not change, aliases do; both are invoked by their names.
func TestVersionsAndAliases(t *testing.T) {
	s := shared.session(t)
	s.create("f", "echo", func(in *sdk.CreateFunctionInput) { in.Publish = true })
	one, err := s.PublishVersion(s.ctx, &sdk.PublishVersionInput{FunctionName: aws.String("f")})
	s.must(err)
	if *one.Version != "1" || *one.FunctionArn != s.arn("f:1") {
		t.Errorf("nothing has changed since version 1: %+v", one)
	}
	_, err = s.UpdateFunctionCode(s.ctx, &sdk.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ZipFile: code(t, "two")})
	s.must(err)
	s.active("f")
	two, err := s.PublishVersion(s.ctx, &sdk.PublishVersionInput{FunctionName: aws.String("f"), Description: aws.String("the second")})
	s.must(err)
	if *two.Version != "2" || *two.Description != "the second" {
		t.Errorf("%+v", two)
	}
	_, err = s.PublishVersion(s.ctx, &sdk.PublishVersionInput{FunctionName: aws.String("f"), CodeSha256: one.CodeSha256})
	s.refused(err, "InvalidParameterValueException", "CodeSHA256 ("+*one.CodeSha256+") is different")

	live, err := s.CreateAlias(s.ctx, &sdk.CreateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("1")})
	s.must(err)
	if *live.AliasArn != s.arn("f:live") || *live.FunctionVersion != "1" {
		t.Errorf("%+v", live)
	}
	for _, name := range []string{"f:live", s.arn("f:live"), s.account + ":function:f:live"} {
		out := s.call(name, `1`)
		if got := answer[echoed](s, out); *out.ExecutedVersion != "1" || got.Version != "1" || got.ARN != s.arn("f:live") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	out, err := s.Invoke(s.ctx, &sdk.InvokeInput{FunctionName: aws.String("f"), Qualifier: aws.String("2")})
	s.must(err)
	if got := answer[echoed](s, out); got.Version != "2" || got.ARN != s.arn("f:2") {
		t.Errorf("%+v", got)
	}
	_, err = s.Invoke(s.ctx, &sdk.InvokeInput{FunctionName: aws.String("f"), Qualifier: aws.String("9")})
	s.refused(err, "ResourceNotFoundException", s.arn("f:9"))
	moved, err := s.UpdateAlias(s.ctx, &sdk.UpdateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("2"), RevisionId: live.RevisionId})
	s.must(err)
	if got := answer[echoed](s, s.call("f:live", `1`)); *moved.FunctionVersion != "2" || got.Version != "2" {
		t.Errorf("%+v %+v", moved, got)
	}
	_, err = s.UpdateAlias(s.ctx, &sdk.UpdateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), RoutingConfig: &types.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{"1": 0.5}}})
	s.refused(err, "InvalidParameterValueException", "RoutingConfig")
	_, err = s.DeleteFunction(s.ctx, &sdk.DeleteFunctionInput{FunctionName: aws.String("f"), Qualifier: aws.String("2")})
	s.refused(err, "ResourceConflictException", "live")
	_, err = s.DeleteFunction(s.ctx, &sdk.DeleteFunctionInput{FunctionName: aws.String("f"), Qualifier: aws.String("1")})
	s.must(err)
	versions, err := s.ListVersionsByFunction(s.ctx, &sdk.ListVersionsByFunctionInput{FunctionName: aws.String("f")})
	s.must(err)
	var numbers []string
	for _, v := range versions.Versions {
		numbers = append(numbers, *v.Version+" "+*v.FunctionArn)
	}
	if want := []string{"$LATEST " + s.arn("f:$LATEST"), "2 " + s.arn("f:2")}; !slices.Equal(numbers, want) {
		t.Errorf("%v", numbers)
	}
	aliases, err := s.ListAliases(s.ctx, &sdk.ListAliasesInput{FunctionName: aws.String("f"), FunctionVersion: aws.String("2")})
	s.must(err)
	if len(aliases.Aliases) != 1 || *aliases.Aliases[0].Name != "live" {
		t.Errorf("%+v", aliases)
	}
	_, err = s.DeleteAlias(s.ctx, &sdk.DeleteAliasInput{FunctionName: aws.String("f"), Name: aws.String("live")})
	s.must(err)
	_, err = s.GetAlias(s.ctx, &sdk.GetAliasInput{FunctionName: aws.String("f"), Name: aws.String("live")})
	s.refused(err, "ResourceNotFoundException", "Cannot find alias arn: "+s.arn("f:live"))
}

// Lists come in pages, in order of name, each account and region its own.
func TestLists(t *testing.T) {
	s := shared.session(t)
	for i := range 5 {
		s.create(fmt.Sprint("f", i), "echo", func(in *sdk.CreateFunctionInput) { in.Publish = i == 2 })
	}
	var names []string
	pages := 0
	for p := sdk.NewListFunctionsPaginator(s, &sdk.ListFunctionsInput{MaxItems: aws.Int32(2)}); p.HasMorePages(); pages++ {
		out, err := p.NextPage(s.ctx)
		s.must(err)
		for _, f := range out.Functions {
			names = append(names, *f.FunctionName)
		}
	}
	if pages != 3 || !slices.Equal(names, []string{"f0", "f1", "f2", "f3", "f4"}) {
		t.Errorf("%d pages, %v", pages, names)
	}
	names = nil
	for p := sdk.NewListFunctionsPaginator(s, &sdk.ListFunctionsInput{MaxItems: aws.Int32(3), FunctionVersion: types.FunctionVersionAll}); p.HasMorePages(); {
		out, err := p.NextPage(s.ctx)
		s.must(err)
		for _, f := range out.Functions {
			names = append(names, *f.FunctionName+":"+*f.Version)
		}
	}
	if !slices.Equal(names, []string{"f0:$LATEST", "f1:$LATEST", "f2:$LATEST", "f2:1", "f3:$LATEST", "f4:$LATEST"}) {
		t.Errorf("%v", names)
	}
	other, err := shared.session(t).ListFunctions(s.ctx, &sdk.ListFunctionsInput{})
	s.must(err)
	if len(other.Functions) != 0 {
		t.Errorf("another account sees %d", len(other.Functions))
	}
}

// Tags are a function's, by its ARN.
func TestTags(t *testing.T) {
	s := shared.session(t)
	s.create("f", "echo", nil)
	_, err := s.TagResource(s.ctx, &sdk.TagResourceInput{Resource: aws.String(s.arn("f")), Tags: map[string]string{"a": "1", "b": "2"}})
	s.must(err)
	_, err = s.UntagResource(s.ctx, &sdk.UntagResourceInput{Resource: aws.String(s.arn("f")), TagKeys: []string{"a", "none"}})
	s.must(err)
	out, err := s.ListTags(s.ctx, &sdk.ListTagsInput{Resource: aws.String(s.arn("f"))})
	s.must(err)
	if len(out.Tags) != 1 || out.Tags["b"] != "2" {
		t.Errorf("%v", out.Tags)
	}
	many := map[string]string{}
	for i := range 50 {
		many[fmt.Sprint("k", i)] = "v"
	}
	_, err = s.TagResource(s.ctx, &sdk.TagResourceInput{Resource: aws.String(s.arn("f")), Tags: many})
	s.refused(err, "InvalidParameterValueException", "50")
	_, err = s.TagResource(s.ctx, &sdk.TagResourceInput{Resource: aws.String("arn:aws:lambda:us-east-1:" + s.account + ":event-source-mapping:01234567-89ab-cdef-0123-456789abcdef"), Tags: many})
	s.refused(err, "InvalidParameterValueException", "A resource other than a function")
}

// A policy lets another account in, and nobody else.
func TestPermissions(t *testing.T) {
	s, other, third := shared.session(t), shared.session(t), shared.session(t)
	s.create("f", "echo", nil)
	_, err := other.Invoke(s.ctx, &sdk.InvokeInput{FunctionName: aws.String(s.arn("f"))})
	s.refused(err, "AccessDeniedException", "not authorized to perform: lambda:InvokeFunction")
	_, err = s.GetPolicy(s.ctx, &sdk.GetPolicyInput{FunctionName: aws.String("f")})
	s.refused(err, "ResourceNotFoundException", "")
	added, err := s.AddPermission(s.ctx, &sdk.AddPermissionInput{FunctionName: aws.String("f"), StatementId: aws.String("other"), Action: aws.String("lambda:InvokeFunction"), Principal: &other.account})
	s.must(err)
	if !strings.Contains(*added.Statement, `"Principal":{"AWS":"arn:aws:iam::`+other.account+`:root"}`) || !strings.Contains(*added.Statement, `"Resource":"`+s.arn("f")+`"`) {
		t.Errorf("%s", *added.Statement)
	}
	_, err = s.AddPermission(s.ctx, &sdk.AddPermissionInput{FunctionName: aws.String("f"), StatementId: aws.String("other"), Action: aws.String("lambda:InvokeFunction"), Principal: &other.account})
	s.refused(err, "ResourceConflictException", "The statement id (other) provided already exists")
	out, err := other.Invoke(s.ctx, &sdk.InvokeInput{FunctionName: aws.String(s.arn("f"))})
	s.must(err)
	if got := answer[echoed](s, out); got.Env["AWS_ACCESS_KEY_ID"] != s.account {
		t.Errorf("a function runs as its caller: %v", got.Env["AWS_ACCESS_KEY_ID"])
	}
	_, err = third.Invoke(s.ctx, &sdk.InvokeInput{FunctionName: aws.String(s.arn("f"))})
	s.refused(err, "AccessDeniedException", "not authorized")
	_, err = other.DeleteFunction(s.ctx, &sdk.DeleteFunctionInput{FunctionName: aws.String(s.arn("f"))})
	s.refused(err, "AccessDeniedException", "lambda:DeleteFunction")
	policy, err := s.GetPolicy(s.ctx, &sdk.GetPolicyInput{FunctionName: aws.String("f")})
	s.must(err)
	if !strings.Contains(*policy.Policy, *added.Statement) || !strings.HasPrefix(*policy.Policy, `{"Version":"2012-10-17","Id":"default"`) {
		t.Errorf("%s", *policy.Policy)
	}
	_, err = s.AddPermission(s.ctx, &sdk.AddPermissionInput{FunctionName: aws.String("f"), StatementId: aws.String("topic"), Action: aws.String("lambda:InvokeFunction"),
		Principal: aws.String("sns.amazonaws.com"), SourceArn: aws.String("arn:aws:sns:us-east-1:123456789012:t"), SourceAccount: aws.String("123456789012")})
	s.must(err)
	_, err = s.RemovePermission(s.ctx, &sdk.RemovePermissionInput{FunctionName: aws.String("f"), StatementId: aws.String("other"), RevisionId: policy.RevisionId})
	s.refused(err, "PreconditionFailedException", "")
	_, err = s.RemovePermission(s.ctx, &sdk.RemovePermissionInput{FunctionName: aws.String("f"), StatementId: aws.String("other")})
	s.must(err)
	_, err = other.Invoke(s.ctx, &sdk.InvokeInput{FunctionName: aws.String(s.arn("f"))})
	s.refused(err, "AccessDeniedException", "not authorized")
	_, err = s.RemovePermission(s.ctx, &sdk.RemovePermissionInput{FunctionName: aws.String("f"), StatementId: aws.String("other")})
	s.refused(err, "ResourceNotFoundException", "Statement other is not found")
}

// What is not served is refused by its name, whoever asks; what is no operation at all is not known.
func TestUnservedOperations(t *testing.T) {
	s := shared.session(t)
	send := func(method, path string) (int, string) {
		r, err := http.NewRequestWithContext(s.ctx, method, "http://"+shared.node.Addr()+path, strings.NewReader("{}"))
		s.must(err)
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+s.account+"/20261118/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=00")
		r.Header.Set("X-Amz-Date", "20261118T130000Z")
		answer, err := http.DefaultClient.Do(r)
		s.must(err)
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		s.must(err)
		return answer.StatusCode, answer.Header.Get("x-amzn-ErrorType") + " " + string(text)
	}
	absent := 0
	for name, op := range shapes.Service.Operations {
		if lambda.Supported(name) {
			continue
		}
		absent++
		path := strings.NewReplacer("{", "", "}", "").Replace(op.RequestURI)
		if status, text := send(op.Method, path); status != 400 || !strings.Contains(text, "UnsupportedOperationException") || !strings.Contains(text, "The operation "+name+" is not supported") {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	if absent == 0 {
		t.Error("nothing is absent")
	}
	if status, text := send("GET", "/2015-03-31/nothing"); status != 404 || !strings.Contains(text, "UnknownOperationException") {
		t.Errorf("%d %s", status, text)
	}
}

// tail is the end of what a function wrote.
func tail(out *sdk.InvokeOutput) string {
	text, _ := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
	return string(text)
}
