package multilang

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cloudwatch "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// metadata is what clouds offer: the keys of an instance, of a container, and STS. The access key says how it was come by.
func metadata(w http.ResponseWriter, r *http.Request) {
	keys := func(name string) string {
		return fmt.Sprintf(`{"Code":"Success","AccessKeyId":%q,"SecretAccessKey":"s","Token":"t","Expiration":%q}`, name, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}
	body, _ := io.ReadAll(r.Body)
	switch {
	case strings.HasSuffix(r.URL.Path, "/api/token"):
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "600")
		fmt.Fprint(w, "token")
	case strings.HasSuffix(r.URL.Path, "/security-credentials/"):
		fmt.Fprint(w, "role")
	case strings.HasSuffix(r.URL.Path, "/security-credentials/role"):
		fmt.Fprint(w, keys("instance"))
	case r.URL.Path == "/container":
		fmt.Fprint(w, keys("container "+r.Header.Get("Authorization")))
	case strings.Contains(string(body), "Action=AssumeRole"):
		action := "AssumeRole"
		if strings.Contains(string(body), "WithWebIdentity") {
			action = "AssumeRoleWithWebIdentity"
		}
		values := strings.Split(string(body), "&")
		slices.Sort(values)
		scope := ""
		if _, rest, ok := strings.Cut(r.Header.Get("Authorization"), "Credential="); ok {
			scope = strings.Split(rest, "/")[2]
		}
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprintf(w, `<%[1]sResponse><%[1]sResult><Credentials><AccessKeyId>%[2]s</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%[3]s</Expiration></Credentials></%[1]sResult></%[1]sResponse>`,
			action, scope+" "+strings.Join(slices.DeleteFunc(values, func(v string) bool { return strings.HasPrefix(v, "Version") || strings.HasPrefix(v, "Duration") }), " "),
			time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	default:
		http.NotFound(w, r)
	}
}

// TestCredentials shows where each provider finds its keys, and that of several the first counts that has some.
func TestCredentials(t *testing.T) {
	cloud := httptest.NewServer(http.HandlerFunc(metadata))
	defer cloud.Close()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"credentials": "[default]\naws_access_key_id = of-default\naws_secret_access_key = s\n[work]\naws_access_key_id = of-work\naws_secret_access_key = s\n", "config": "", "token": "web",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	base := map[string]string{
		"AWS_SHARED_CREDENTIALS_FILE": filepath.Join(dir, "credentials"), "AWS_CONFIG_FILE": filepath.Join(dir, "config"), "AWS_EC2_METADATA_SERVICE_ENDPOINT": cloud.URL,
		"AWS_ENDPOINT_URL_STS": cloud.URL, "AWS_ACCESS_KEY_ID": "of-environment", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_PROFILE": "",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "", "AWS_ROLE_ARN": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "", "AWS_SESSION_TOKEN": "",
	}
	for _, row := range []struct{ provider, environment, want string }{
		{"DefaultCredentialsProvider", "", "of-environment"},
		{"EnvironmentVariableCredentialsProvider", "", "of-environment"},
		{"EnvironmentVariableCredentialsProvider", "AWS_SECRET_ACCESS_KEY=", "AWS_SECRET_ACCESS_KEY are not set"},
		{"ProfileCredentialsProvider", "", "of-default"},
		{"ProfileCredentialsProvider", "AWS_PROFILE=work", "of-work"},
		{"ProfileCredentialsProvider|work", "", "of-work"},
		{"ProfileCredentialsProvider|play", "", "play"},
		{"InstanceProfileCredentialsProvider", "", "instance"},
		{"ContainerCredentialsProvider", "", "AWS_CONTAINER_CREDENTIALS_FULL_URI"},
		{"ContainerCredentialsProvider", "AWS_CONTAINER_CREDENTIALS_FULL_URI=" + cloud.URL + "/container AWS_CONTAINER_AUTHORIZATION_TOKEN=t1", "container t1"},
		{"ContainerCredentialsProvider", "AWS_CONTAINER_CREDENTIALS_FULL_URI=" + cloud.URL + "/container AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=" + filepath.Join(dir, "token"), "container web"},
		{"EC2ContainerCredentialsProviderWrapper", "", "instance"},
		{"WebIdentityTokenFileCredentialsProvider", "", "AWS_ROLE_ARN"},
		{"WebIdentityTokenFileCredentialsProvider", "AWS_ROLE_ARN=r AWS_ROLE_SESSION_NAME=n AWS_WEB_IDENTITY_TOKEN_FILE=" + filepath.Join(dir, "token"),
			"Action=AssumeRoleWithWebIdentity RoleArn=r RoleSessionName=n WebIdentityToken=web"},
		{"StsAssumeRoleCredentialsProvider|r|n", "", "us-east-1 Action=AssumeRole RoleArn=r RoleSessionName=n"},
		{"StsAssumeRoleCredentialsProvider|r|n|endpointRegion=eu-west-1|externalId=x", "", "eu-west-1 Action=AssumeRole ExternalId=x RoleArn=r RoleSessionName=n"},
		{"StsAssumeRoleCredentialsProvider|r|n|endpoint=" + cloud.URL + "^eu-west-2", "AWS_ENDPOINT_URL_STS=http://127.0.0.1:1", "eu-west-2 Action=AssumeRole RoleArn=r RoleSessionName=n"},
		{"ProfileCredentialsProvider|play, EnvironmentVariableCredentialsProvider", "", "of-environment"},
		{"ProfileCredentialsProvider|play, ContainerCredentialsProvider", "", "FULL_URI"},
	} {
		t.Run(row.provider+" "+row.environment, func(t *testing.T) {
			for name, value := range base {
				t.Setenv(name, value)
			}
			for _, entry := range strings.Fields(row.environment) {
				name, value, _ := strings.Cut(entry, "=")
				t.Setenv(name, value)
			}
			s := read(t, minimal+"AwsCredentialsProvider = "+row.provider)
			clients, err := NewClients(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			found, err := clients.Kinesis.Options().Credentials.Retrieve(t.Context())
			got := found.AccessKeyID
			if err != nil {
				got = err.Error()
			}
			if strings.TrimSpace(got) != row.want && (err == nil || !strings.Contains(got, row.want)) {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

// TestClients shows where requests go, in which region and with which user agent, and that each service may have credentials of its own.
func TestClients(t *testing.T) {
	type call struct{ target, agent, credential string }
	calls := make(chan call, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
		calls <- call{r.Header.Get("X-Amz-Target") + r.Header.Get("Smithy-Protocol"), r.UserAgent(), credential}
		w.WriteHeader(http.StatusBadRequest)
	}))
	defer server.Close()
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_CONFIG_FILE": "/dev/null",
		"AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_ENDPOINT_URL_CLOUDWATCH": server.URL} {
		t.Setenv(name, value)
	}
	s := read(t, minimal+"processingLanguage = python/3.8\nkinesisEndpoint = "+server.URL+"\ndynamoDBEndpoint = "+server.URL+"\nAwsCredentialsProviderDynamoDB = AnonymousCredentialsProvider\n")
	clients, err := NewClients(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if clients.Region != "us-east-1" {
		t.Errorf("region %s", clients.Region)
	}
	_, _ = clients.Kinesis.ListStreams(t.Context(), nil)
	got := <-calls
	if !strings.HasSuffix(got.target, "ListStreams") || !strings.Contains(got.agent, "weir-multilang") || !strings.Contains(got.agent, "python") || !strings.HasPrefix(got.credential, "key/") || !strings.Contains(got.credential, "us-east-1/kinesis") {
		t.Errorf("%+v", got)
	}
	_, _ = clients.DynamoDB.ListTables(t.Context(), nil)
	if got := <-calls; !strings.HasSuffix(got.target, "ListTables") || got.credential != "" {
		t.Errorf("%+v", got)
	}
	_, _ = clients.CloudWatch.ListMetrics(t.Context(), nil)
	if got := <-calls; !strings.Contains(got.credential, "us-east-1/monitoring") {
		t.Errorf("%+v", got)
	}
	s = read(t, minimal+"regionName = eu-west-1\n")
	if clients, err = NewClients(context.Background(), s); err != nil || clients.Region != "eu-west-1" || clients.Kinesis.Options().BaseEndpoint != nil {
		t.Errorf("%+v, %v", clients, err)
	}
}

// measured remembers what is measured.
type measured []string

func (m *measured) Add(name string, _ float64, _ cloudwatch.StandardUnit, dims ...cloudwatch.Dimension) {
	for _, d := range dims {
		name += " " + *d.Name
	}
	*m = append(*m, name)
}

// TestFilterMetrics shows what each level and list of dimensions lets through.
func TestFilterMetrics(t *testing.T) {
	for more, want := range map[string]string{
		"":                                  "[RecordsProcessed Operation ShardId RenewLease.Time Operation WorkerIdentifier]",
		"metricsEnabledDimensions=ALL":      "[RecordsProcessed Operation ShardId RenewLease.Time Operation WorkerIdentifier]",
		"metricsLevel=SUMMARY":              "[RecordsProcessed Operation ShardId]",
		"metricsEnabledDimensions=ShardId":  "[RecordsProcessed Operation ShardId RenewLease.Time Operation]",
		"metricsEnabledDimensions=Whatever": "[RecordsProcessed Operation RenewLease.Time Operation]",
	} {
		var got measured
		m := FilterMetrics(read(t, minimal+more), &got)
		dim := func(name string) cloudwatch.Dimension { return cloudwatch.Dimension{Name: aws.String(name)} }
		m.Add("RecordsProcessed", 1, "", dim("Operation"), dim("ShardId"))
		m.Add("RenewLease.Time", 1, "", dim("Operation"), dim("WorkerIdentifier"))
		if fmt.Sprint(got) != want {
			t.Errorf("%s: %v, want %s", more, got, want)
		}
	}
}
