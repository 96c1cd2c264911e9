package main

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// measured is a function and the bare program that its cold start is held against: what starts, does nothing and ends.
type measured struct {
	name     string
	runtime  types.Runtime
	handler  string
	files    map[string]string
	bare     []string
	coldRuns int
}

// functions times the first event of a function, which starts its process, and the following ones, which find it, as a client over the API sees them.
func (b *bench) functions(ctx context.Context) error {
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	p, err := start(addr, filepath.Join(b.dir, "functions.log"), b.weir, "dev", "--listen", addr, "--tls-listen", "off", "--console-listen", "off", "--data", filepath.Join(b.dir, "functions"))
	if err != nil {
		return err
	}
	defer p.kill()
	program := filepath.Join(b.dir, "bootstrap")
	build := exec.CommandContext(ctx, "go", "build", "-ldflags", "-s -w", "-o", program, "github.com/weir-stream/weir/test/interop/function")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the function: %w\n%s", err, said)
	}
	bootstrap, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	client := lambda.New(lambda.Options{Region: "us-east-1", BaseEndpoint: aws.String("http://" + addr), Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "000000000000", SecretAccessKey: "any"}, nil
	})})
	b.printf("| functions, over the API | cold: median of %d | the bare program | warm: median | warm: calls/s, one caller |\n|---|--:|--:|--:|--:|\n", coldRuns)
	for _, m := range []measured{
		{"Go, aws-lambda-go", types.RuntimeProvidedal2023, "bootstrap", map[string]string{"bootstrap": string(bootstrap)}, []string{"/bin/true"}, coldRuns},
		{"Node", types.RuntimeNodejs22x, "index.handler", map[string]string{"index.mjs": "export const handler = async (event) => event;"}, []string{"node", "-e", "0"}, coldRuns},
		{"Python", types.RuntimePython312, "main.handler", map[string]string{"main.py": "def handler(event, context):\n    return event\n"}, []string{"/usr/bin/python3", "-c", "0"}, coldRuns},
	} {
		if err := b.function(ctx, client, m); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	b.printf("\n")
	return nil
}

// coldRuns is how many cold starts of a function are timed: each is another configuration of it.
const coldRuns = 11

func (b *bench) function(ctx context.Context, client *lambda.Client, m measured) error {
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	for name, text := range m.files {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		h.SetMode(0o755)
		to, err := w.CreateHeader(h)
		if err == nil {
			_, err = io.WriteString(to, text)
		}
		if err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	name := aws.String(string(m.runtime[:4]))
	if _, err := client.CreateFunction(ctx, &lambda.CreateFunctionInput{FunctionName: name, Role: aws.String("arn:aws:iam::000000000000:role/r"), Runtime: m.runtime, Handler: &m.handler,
		Timeout: aws.Int32(60), MemorySize: aws.Int32(512), Code: &types.FunctionCode{ZipFile: archive.Bytes()}}); err != nil {
		return err
	}
	if err := lambda.NewFunctionActiveV2Waiter(client, func(o *lambda.FunctionActiveV2WaiterOptions) {
		o.MinDelay, o.MaxDelay = time.Millisecond, 10*time.Millisecond
	}).
		Wait(ctx, &lambda.GetFunctionInput{FunctionName: name}, time.Minute); err != nil {
		return err
	}
	invoke := func() (float64, error) {
		began := time.Now()
		out, err := client.Invoke(ctx, &lambda.InvokeInput{FunctionName: name, Payload: []byte(`{"say":"x"}`)})
		if err == nil && out.FunctionError != nil {
			err = fmt.Errorf("%s: %s", *out.FunctionError, out.Payload)
		}
		return time.Since(began).Seconds(), err
	}
	var cold, bare, warm []float64
	for i := range m.coldRuns {
		if _, err := client.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: name, Description: aws.String(fmt.Sprint("run ", i))}); err != nil {
			return err
		}
		if err := lambda.NewFunctionUpdatedV2Waiter(client, func(o *lambda.FunctionUpdatedV2WaiterOptions) {
			o.MinDelay, o.MaxDelay = time.Millisecond, 10*time.Millisecond
		}).
			Wait(ctx, &lambda.GetFunctionInput{FunctionName: name}, time.Minute); err != nil {
			return err
		}
		seconds, err := invoke()
		if err != nil {
			return err
		}
		cold = append(cold, seconds)
		began := time.Now()
		if err := exec.CommandContext(ctx, m.bare[0], m.bare[1:]...).Run(); err != nil {
			return err
		}
		bare = append(bare, time.Since(began).Seconds())
	}
	began := time.Now()
	for time.Since(began) < b.duration {
		seconds, err := invoke()
		if err != nil {
			return err
		}
		warm = append(warm, seconds)
	}
	b.printf("| %s | **%s** | %s | **%s** | %d |\n", m.name, inMillis(median(cold)), inMillis(median(bare)), inMillis(median(warm)), int(float64(len(warm))/time.Since(began).Seconds()))
	return nil
}

func inMillis(seconds float64) string {
	return time.Duration(seconds * float64(time.Second)).Round(10 * time.Microsecond).String()
}
