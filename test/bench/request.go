package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	recordBytes = 1024
	batchSize   = 500
	getLimit    = 1000 // records a GetRecords, about 1.4 MB of answer
	stream      = "bench"
)

// payload is the data of record i: 1 KiB that does not compress to nothing.
func payload(i int) []byte {
	data := make([]byte, recordBytes)
	r := rand.New(rand.NewPCG(uint64(i), 7))
	for j := range data {
		data[j] = byte(' ' + r.IntN(95))
	}
	return data
}

// signed is a whole signed HTTP/1.1 request, ready to be written to a connection.
func signed(addr, path, operation string, body []byte, k key) ([]byte, error) {
	req, err := http.NewRequest(http.MethodPost, "http://"+addr+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "Kinesis_20131202."+operation)
	sum := sha256.Sum256(body)
	credentials := aws.Credentials{AccessKeyID: k.id, SecretAccessKey: k.secret}
	if err := v4.NewSigner().SignHTTP(context.Background(), credentials, req, hex.EncodeToString(sum[:]), "kinesis", "us-east-1", time.Now()); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := req.Write(&out); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// putRecordsBody is a PutRecords of 500 records whose keys spread over every shard.
func putRecordsBody(variant int) []byte {
	var b strings.Builder
	b.WriteString(`{"StreamName":"` + stream + `","Records":[`)
	for i := range batchSize {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"Data":"%s","PartitionKey":"key-%d-%d"}`, base64.StdEncoding.EncodeToString(payload(i)), variant, i)
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}

func putRecordBody(variant int) []byte {
	return fmt.Appendf(nil, `{"StreamName":"%s","Data":"%s","PartitionKey":"key-%d"}`, stream, base64.StdEncoding.EncodeToString(payload(variant)), variant)
}

// call makes one request of its own and reads the answer.
func call(addr string, k key, operation, body string, into any) error {
	request, err := signed(addr, "/", operation, []byte(body), k)
	if err != nil {
		return err
	}
	c, err := dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	answer, err := c.do(request)
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	if into == nil || len(answer) == 0 {
		return nil
	}
	return json.Unmarshal(answer, into)
}

// createStream makes a stream and waits until it is ACTIVE.
func createStream(addr string, k key, name string, shards int) error {
	if err := call(addr, k, "CreateStream", fmt.Sprintf(`{"StreamName":%q,"ShardCount":%d}`, name, shards), nil); err != nil {
		return err
	}
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		var answer struct{ StreamDescriptionSummary struct{ StreamStatus string } }
		if err := call(addr, k, "DescribeStreamSummary", fmt.Sprintf(`{"StreamName":%q}`, name), &answer); err != nil {
			return err
		}
		if answer.StreamDescriptionSummary.StreamStatus == "ACTIVE" {
			return nil
		}
	}
	return fmt.Errorf("stream %s does not become ACTIVE", name)
}
