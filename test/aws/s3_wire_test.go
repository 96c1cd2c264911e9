package aws

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	api "github.com/weir-stream/weir/internal/api/s3"
	"github.com/weir-stream/weir/internal/node"
)

// What nobody can set has the answer of a bucket on which nobody has set it; what would set it is refused by name.
func TestFixedAnswers(t *testing.T) {
	o := shared.s3Client(t, transports[0], "us-east-1").withBucket()
	o.put("k", "x")
	if v := got(o.GetBucketVersioning(o.ctx, &s3.GetBucketVersioningInput{Bucket: &o.bucket}))(t); v.Status != "" {
		t.Errorf("versioning %s", v.Status)
	}
	acl := got(o.GetBucketAcl(o.ctx, &s3.GetBucketAclInput{Bucket: &o.bucket}))(t)
	if len(acl.Grants) != 1 || acl.Grants[0].Permission != "FULL_CONTROL" || *acl.Grants[0].Grantee.ID != *acl.Owner.ID || acl.Grants[0].Grantee.Type != "CanonicalUser" {
		t.Errorf("%+v", acl)
	}
	if acl := got(o.GetObjectAcl(o.ctx, &s3.GetObjectAclInput{Bucket: &o.bucket, Key: aws.String("k")}))(t); len(acl.Grants) != 1 {
		t.Errorf("%+v", acl)
	}
	got(o.PutBucketAcl(o.ctx, &s3.PutBucketAclInput{Bucket: &o.bucket, ACL: "private"}))(t)
	got(o.PutObjectAcl(o.ctx, &s3.PutObjectAclInput{Bucket: &o.bucket, Key: aws.String("k"), ACL: "private"}))(t)
	_, err := o.PutBucketAcl(o.ctx, &s3.PutBucketAclInput{Bucket: &o.bucket, ACL: "public-read"})
	o.denied(err, 400, "AccessControlListNotSupported")
	_, err = o.PutObjectAcl(o.ctx, &s3.PutObjectAclInput{Bucket: &o.bucket, Key: aws.String("k"), ACL: "public-read"})
	o.denied(err, 400, "AccessControlListNotSupported")
	got(o.GetBucketLogging(o.ctx, &s3.GetBucketLoggingInput{Bucket: &o.bucket}))(t)
	got(o.GetBucketNotificationConfiguration(o.ctx, &s3.GetBucketNotificationConfigurationInput{Bucket: &o.bucket}))(t)
	got(o.GetBucketAccelerateConfiguration(o.ctx, &s3.GetBucketAccelerateConfigurationInput{Bucket: &o.bucket}))(t)
	if p := got(o.GetBucketRequestPayment(o.ctx, &s3.GetBucketRequestPaymentInput{Bucket: &o.bucket}))(t); p.Payer != "BucketOwner" {
		t.Errorf("payer %s", p.Payer)
	}
	if c := got(o.GetBucketOwnershipControls(o.ctx, &s3.GetBucketOwnershipControlsInput{Bucket: &o.bucket}))(t); c.OwnershipControls.Rules[0].ObjectOwnership != "BucketOwnerEnforced" {
		t.Errorf("%+v", c)
	}
	if b := got(o.GetPublicAccessBlock(o.ctx, &s3.GetPublicAccessBlockInput{Bucket: &o.bucket}))(t); !*b.PublicAccessBlockConfiguration.RestrictPublicBuckets {
		t.Errorf("%+v", b)
	}
	yes, no := aws.Bool(true), aws.Bool(false)
	got(o.PutPublicAccessBlock(o.ctx, &s3.PutPublicAccessBlockInput{Bucket: &o.bucket, PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{
		BlockPublicAcls: yes, BlockPublicPolicy: yes, IgnorePublicAcls: yes, RestrictPublicBuckets: yes}}))(t)
	_, err = o.PutPublicAccessBlock(o.ctx, &s3.PutPublicAccessBlockInput{Bucket: &o.bucket, PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{
		BlockPublicAcls: no, BlockPublicPolicy: yes, IgnorePublicAcls: yes, RestrictPublicBuckets: yes}})
	o.denied(err, 501, "NotImplemented")
	for code, ask := range map[string]func() error{
		"NoSuchBucketPolicy": func() error {
			_, err := o.GetBucketPolicy(o.ctx, &s3.GetBucketPolicyInput{Bucket: &o.bucket})
			return err
		},
		"NoSuchCORSConfiguration": func() error {
			_, err := o.GetBucketCors(o.ctx, &s3.GetBucketCorsInput{Bucket: &o.bucket})
			return err
		},
		"NoSuchWebsiteConfiguration": func() error {
			_, err := o.GetBucketWebsite(o.ctx, &s3.GetBucketWebsiteInput{Bucket: &o.bucket})
			return err
		},
		"ReplicationConfigurationNotFoundError": func() error {
			_, err := o.GetBucketReplication(o.ctx, &s3.GetBucketReplicationInput{Bucket: &o.bucket})
			return err
		},
		"ServerSideEncryptionConfigurationNotFoundError": func() error {
			_, err := o.GetBucketEncryption(o.ctx, &s3.GetBucketEncryptionInput{Bucket: &o.bucket})
			return err
		},
		"ObjectLockConfigurationNotFoundError": func() error {
			_, err := o.GetObjectLockConfiguration(o.ctx, &s3.GetObjectLockConfigurationInput{Bucket: &o.bucket})
			return err
		},
	} {
		o.denied(ask(), 404, code)
	}
	_, err = o.GetBucketPolicyStatus(o.ctx, &s3.GetBucketPolicyStatusInput{Bucket: &o.bucket})
	o.denied(err, 404, "NoSuchBucketPolicy")
	got(o.DeleteBucketPolicy(o.ctx, &s3.DeleteBucketPolicyInput{Bucket: &o.bucket}))(t)
	got(o.DeleteBucketCors(o.ctx, &s3.DeleteBucketCorsInput{Bucket: &o.bucket}))(t)
	got(o.DeleteBucketWebsite(o.ctx, &s3.DeleteBucketWebsiteInput{Bucket: &o.bucket}))(t)
	got(o.DeleteBucketReplication(o.ctx, &s3.DeleteBucketReplicationInput{Bucket: &o.bucket}))(t)
	got(o.DeleteBucketEncryption(o.ctx, &s3.DeleteBucketEncryptionInput{Bucket: &o.bucket}))(t)
}

// The table of operations is the SDK's, and every one that is not served is refused by its name.
func TestS3OperationsRefusedByName(t *testing.T) {
	o := shared.s3Client(t, transports[0], "us-east-1").withBucket()
	var names, methods []string
	for _, op := range api.Operations() {
		names = append(names, op.Name)
		if op.Served || op.Name == "ListDirectoryBuckets" || op.Name == "WriteGetObjectResponse" {
			continue
		}
		url := o.endpoint + "/" + o.bucket
		if op.Object {
			url += "/key"
		}
		url += "?" + op.Query
		if strings.HasPrefix(op.Name, "GetBucket") {
			url += "&id=x"
		}
		r := got(http.NewRequestWithContext(o.ctx, op.Method, url+"&x-id="+op.Name, nil))(t)
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+o.account+"/20261118/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00")
		answer := got(o.http.Do(r))(t)
		body := string(got(io.ReadAll(answer.Body))(t))
		answer.Body.Close()
		if answer.StatusCode != http.StatusNotImplemented || !strings.Contains(body, "<Code>NotImplemented</Code><Message>The operation "+op.Name+" is not supported") {
			t.Errorf("%s %s: %d %s", op.Method, r.URL, answer.StatusCode, body)
		}
	}
	client := reflect.TypeFor[*s3.Client]()
	for i := range client.NumMethod() {
		if m := client.Method(i); m.Type.NumIn() == 4 && m.Type.In(1) == reflect.TypeFor[context.Context]() {
			methods = append(methods, m.Name)
		}
	}
	slices.Sort(names)
	if !slices.Equal(names, methods) {
		t.Errorf("operations are\n%v, the SDK has\n%v", names, methods)
	}
}

// A host may name the bucket: BUCKET.localhost, or any name that S3's own endpoints have.
func TestVirtualHosts(t *testing.T) {
	o := shared.s3Client(t, transports[0], "us-east-1").withBucket()
	o.put("dir/k", "hello")
	for host, path := range map[string]string{
		o.bucket + ".localhost:4566":              "/dir/k",
		o.bucket + ".s3.us-east-1.localhost":      "/dir/k",
		o.bucket + ".s3.amazonaws.com":            "/dir/k",
		o.bucket + ".s3.us-east-1.amazonaws.com":  "/dir/k",
		"s3.us-east-1.amazonaws.com":              "/" + o.bucket + "/dir/k",
		"localhost":                               "/" + o.bucket + "/dir/k",
		strings.TrimPrefix(o.endpoint, "http://"): "/" + o.bucket + "/dir/k",
		"s3.localhost":                            "/" + o.bucket + "/dir/k",
		"[::1]:4566":                              "/" + o.bucket + "/dir/k",
	} {
		r := got(http.NewRequestWithContext(o.ctx, "GET", o.endpoint+path, nil))(t)
		r.Host = host
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+o.account+"/20261118/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00")
		answer := got(o.http.Do(r))(t)
		body := got(io.ReadAll(answer.Body))(t)
		answer.Body.Close()
		if string(body) != "hello" {
			t.Errorf("%s%s: %s", host, path, body)
		}
	}
	virtual := s3.New(s3.Options{Region: "us-east-1", BaseEndpoint: aws.String("http://localhost:" + o.server.node.Addr()[strings.LastIndex(o.server.node.Addr(), ":")+1:]), Credentials: o.credentials(),
		HTTPClient: &http.Client{Transport: hostless{o.http.Transport, o.server.node.Addr()}}})
	listed := got(virtual.ListObjectsV2(o.ctx, &s3.ListObjectsV2Input{Bucket: &o.bucket}))(t)
	if len(listed.Contents) != 1 {
		t.Errorf("%+v", listed)
	}
}

// hostless sends every request to one address, whatever its host is.
type hostless struct {
	next http.RoundTripper
	addr string
}

// RoundTrip sends the request.
func (h hostless) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if r.Host == "" {
		r.Host = r.URL.Host
	}
	r.URL.Host = h.addr
	return h.next.RoundTrip(r)
}

// Errors are S3's XML, with the ids that the header has, too; to HEAD they have no body.
func TestS3Errors(t *testing.T) {
	everyS3Transport(t, func(o *objects) {
		send := func(method, path, body string, header ...string) (*http.Response, string) {
			r := got(http.NewRequestWithContext(o.ctx, method, o.endpoint+path, strings.NewReader(body)))(o.t)
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+o.account+"/20261118/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00")
			for i := 0; i < len(header); i += 2 {
				r.Header.Set(header[i], header[i+1])
			}
			answer := got(o.http.Do(r))(o.t)
			defer answer.Body.Close()
			return answer, string(got(io.ReadAll(answer.Body))(o.t))
		}
		answer, body := send("GET", "/"+o.bucket+"/no<thing", "")
		id, host := answer.Header.Get("X-Amz-Request-Id"), answer.Header.Get("X-Amz-Id-2")
		want := `<?xml version="1.0" encoding="UTF-8"?>` + "\n<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>no&lt;thing</Key><Resource>/" + o.bucket +
			"/no&lt;thing</Resource><RequestId>" + id + "</RequestId><HostId>" + host + "</HostId></Error>"
		if answer.StatusCode != 404 || body != want || id == "" || host == "" || answer.Header.Get("Content-Type") != "application/xml" {
			o.t.Errorf("%d %s, want\n%s", answer.StatusCode, body, want)
		}
		for _, row := range []struct {
			method, path, body string
			status             int
			code               string
			header             []string
		}{
			{"PUT", "/" + o.bucket + "/k", "short", 400, "XAmzContentSHA256Mismatch", []string{"X-Amz-Content-Sha256", strings.Repeat("0", 64)}},
			{"PUT", "/" + o.bucket + "/k", "3\r\nab", 400, "IncompleteBody", []string{"X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Decoded-Content-Length", "3"}},
			{"PUT", "/" + o.bucket + "/k", "x", 400, "InvalidRequest", []string{"X-Amz-Checksum-Crc32", "no checksum"}},
			{"PUT", "/" + o.bucket + "/k", "x", 400, "InvalidRequest", []string{"X-Amz-Sdk-Checksum-Algorithm", "CRC32"}},
			{"PUT", "/" + o.bucket + "/k", "x", 501, "NotImplemented", []string{"X-Amz-Checksum-Xxhash64", "AAAAAAAAAAA="}},
			{"PUT", "/" + o.bucket + "/k", "x", 501, "NotImplemented", []string{"X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", "key"}},
			{"PUT", "/" + o.bucket + "/k", "x", 501, "NotImplemented", []string{"X-Amz-Server-Side-Encryption-Customer-Key", "key"}},
			{"PUT", "/" + o.bucket + "/k", "x", 501, "NotImplemented", []string{"X-Amz-Object-Lock-Event-Hold", "ON"}},
			{"PUT", "/" + o.bucket + "-2", "", 501, "NotImplemented", []string{"X-Amz-Bucket-Namespace", "account-regional"}},
			{"PUT", "/" + o.bucket + "/k%FF", "x", 400, "InvalidURI", nil},
			{"POST", "/" + o.bucket + "/k", "x", 405, "MethodNotAllowed", nil},
			{"POST", "/" + o.bucket + "?delete", "<Delete>", 400, "MalformedXML", nil},
			{"POST", "/" + o.bucket + "?delete", "<Delete><Other/></Delete>", 400, "MalformedXML", nil},
			{"POST", "/" + o.bucket + "?delete", strings.Repeat("<a>", 100), 400, "MalformedXML", nil},
			{"POST", "/" + o.bucket + "?delete", "<Delete>" + strings.Repeat("<a/>", 100_000) + "</Delete>", 400, "MalformedXML", nil},
			{"PUT", "/" + o.bucket + "/k", "x", 400, "InvalidArgument", []string{"X-Amz-Meta-A", "\xff"}},
			{"PUT", "/" + o.bucket + "/k", "x", 400, "InvalidArgument", []string{"Content-Language", "\xff"}},
			{"POST", "/" + o.bucket + "?delete", "<Delete><Object><Key>k</Key></Object></Delete>", 400, "BadDigest", []string{"Content-Md5", "AAAAAAAAAAAAAAAAAAAAAA=="}},
			{"PUT", "/" + o.bucket + "?tagging", "<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>", 400, "MalformedXML", nil},
		} {
			answer, body := send(row.method, row.path, row.body, row.header...)
			if answer.StatusCode != row.status || !strings.Contains(body, "<Code>"+row.code+"</Code>") {
				o.t.Errorf("%s %s %v: %d %s, want %d %s", row.method, row.path, row.header, answer.StatusCode, body, row.status, row.code)
			}
		}
		if answer, body := send("HEAD", "/"+o.bucket+"/nothing", ""); answer.StatusCode != 404 || body != "" {
			o.t.Errorf("HEAD: %d %s", answer.StatusCode, body)
		}
		if listed := got(o.ListObjectsV2(o.ctx, &s3.ListObjectsV2Input{Bucket: &o.bucket}))(o.t); len(listed.Contents) != 0 {
			o.t.Errorf("refused puts left %+v", listed.Contents)
		}
	})
}

// Objects outlive a restart, and a full disk refuses puts while reading goes on.
func TestObjectsLast(t *testing.T) {
	dir := t.TempDir()
	s := startIn(t, dir, node.Config{})
	o := s.s3Client(t, transports[0], "us-east-1").withBucket()
	body := bytes.Repeat([]byte("x"), 1<<20)
	o.put("k", string(body))
	s.halt(t)
	s = startIn(t, dir, node.Config{Faults: "disk-full"})
	again := s.s3Client(t, transports[0], "us-east-1")
	again.account, again.bucket = o.account, o.bucket
	if now := again.get("k"); now != string(body) {
		t.Errorf("%d bytes after a restart", len(now))
	}
	_, err := again.PutObject(again.ctx, &s3.PutObjectInput{Bucket: &again.bucket, Key: aws.String("k"), Body: strings.NewReader("y")})
	again.denied(err, 503, "ServiceUnavailable")
	if now := again.get("k"); now != string(body) {
		t.Errorf("%d bytes on a full disk", len(now))
	}
}

// Names of user metadata come in lower case also over HTTP/1.1, where boto3 gives them to its caller as they are on the wire.
func TestMetadataNamesAreLowerCase(t *testing.T) {
	o := shared.s3Client(t, transports[0], "us-east-1").withBucket()
	got(o.PutObject(o.ctx, &s3.PutObjectInput{Bucket: &o.bucket, Key: aws.String("k"), Body: strings.NewReader("x"), Metadata: map[string]string{"some-name": "Value"}}))(t)
	conn := got(net.Dial("tcp", o.server.node.Addr()))(t)
	defer conn.Close()
	got(fmt.Fprintf(conn, "GET /%s/k HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: AWS4-HMAC-SHA256 Credential=%s/20261118/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00\r\n\r\n",
		o.bucket, o.account))(t)
	answer := string(got(io.ReadAll(conn))(t))
	if !strings.Contains(answer, "\r\nx-amz-meta-some-name: Value\r\n") {
		t.Errorf("the answer is\n%s", answer)
	}
}
