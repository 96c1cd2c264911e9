package offers

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/weir-stream/weir/client"
	"github.com/weir-stream/weir/client/put"
)

// Environment of the function, besides what Lambda gives every function.
const (
	appVariable    = "OFFERS_APP"    // URL of the app
	poisonVariable = "OFFERS_POISON" // keys of the sign-ups that it fails on three times, with commas between them
)

// What the function tells the app of the batch that its offers are for, besides them.
const (
	shardHeader   = "Offers-Shard"   // the shard's id
	arrivedHeader = "Offers-Arrived" // when the first and the last sign-up arrived in the stream, in timeFormat, with a space between them
)

// tableFile is the bandwidth table in the function's zip file: country, megabits a second.
const tableFile = "bandwidth.csv"

// poisonTries is how often the function fails on a poison sign-up.
const poisonTries = 3

// Zip is the function's code: the bandwidth table, and a bootstrap that becomes the given command, which calls Serve. The command must be one that every
// user of the machine may run, since functions of a server that is root run as nobody.
func Zip(command ...string) ([]byte, error) {
	var bootstrap, table bytes.Buffer
	bootstrap.WriteString("#!/bin/sh\nexec")
	for _, word := range command {
		bootstrap.WriteString(" '" + strings.ReplaceAll(word, "'", `'\''`) + "'")
	}
	bootstrap.WriteString("\n")
	for _, c := range countries {
		fmt.Fprintf(&table, "%s,%d\n", c.code, c.mbps)
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, file := range []struct {
		name string
		text []byte
	}{{"bootstrap", bootstrap.Bytes()}, {tableFile, table.Bytes()}} {
		header := &zip.FileHeader{Name: file.name, Method: zip.Deflate}
		header.SetMode(0o755)
		to, err := w.CreateHeader(header)
		if err != nil {
			return nil, err
		}
		if _, err := to.Write(file.text); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

// Serve is the function: it speaks Lambda's Runtime API until its process is ended.
func Serve() error {
	f, err := newEnricher(os.Getenv)
	if err != nil {
		return err
	}
	lambda.Start(f.handle)
	return nil
}

// enricher is the function between two events.
type enricher struct {
	mbps   map[string]int // by country, from the zip file
	app    string
	poison map[string]bool
	http   *http.Client
	sender *put.Sender
}

func newEnricher(getenv func(string) string) (*enricher, error) {
	file, err := os.Open(filepath.Join(getenv("LAMBDA_TASK_ROOT"), tableFile))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	f := &enricher{app: getenv(appVariable), poison: map[string]bool{}, http: &http.Client{Timeout: 5 * time.Second}}
	if f.mbps, err = readTable(file); err != nil {
		return nil, err
	}
	for key := range strings.SplitSeq(getenv(poisonVariable), ",") {
		f.poison[key] = key != ""
	}
	api, err := client.NewKinesis(client.Options{Getenv: getenv, MaxAttempts: 1})
	if err != nil {
		return nil, err
	}
	f.sender = put.New(api, Offers, put.Options{Patience: 5 * time.Second})
	return f, nil
}

func readTable(r io.Reader) (map[string]int, error) {
	rows, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, err
	}
	mbps := map[string]int{}
	for _, row := range rows {
		if mbps[row[0]], err = strconv.Atoi(row[len(row)-1]); err != nil {
			return nil, fmt.Errorf("%s, country %s: %w", tableFile, row[0], err)
		}
	}
	return mbps, nil
}

// offer is what somebody gets.
func (f *enricher) offer(s SignUp) Offer {
	o := Offer{User: s.User, At: s.At, Country: s.Country, Plan: DefaultPlan}
	mbps, known := f.mbps[s.Country]
	if !known {
		return o
	}
	o.Mbps = mbps
	switch {
	case mbps >= 150:
		o.Plan = "fibre-500"
	case mbps >= 50:
		o.Plan = "cable-100"
	default:
		o.Plan = "copper-25"
	}
	return o
}

// handle makes the offers of a batch, tells the app, then writes them to the stream. The batch comes again when any of it failed, so that the app and the
// readers of the stream must bear to be told twice. An offer that is in the stream is in the app.
func (f *enricher) handle(ctx context.Context, event events.KinesisEvent) error {
	var (
		records []put.Record
		poison  []string
		body    bytes.Buffer // one offer a line
		about   = http.Header{}
	)
	if n := len(event.Records); n > 0 {
		shard, _, _ := strings.Cut(event.Records[0].EventID, ":")
		first, last := &event.Records[0].Kinesis, &event.Records[n-1].Kinesis
		about.Set(shardHeader, shard)
		about.Set(arrivedHeader, first.ApproximateArrivalTimestamp.UTC().Format(timeFormat)+" "+last.ApproximateArrivalTimestamp.UTC().Format(timeFormat))
	}
	for _, r := range event.Records {
		var s SignUp
		if err := json.Unmarshal(r.Kinesis.Data, &s); err != nil {
			return err
		}
		text, err := json.Marshal(f.offer(s))
		if err != nil {
			return err
		}
		records = append(records, put.Record{Key: s.User, Data: text})
		body.Write(text)
		body.WriteByte('\n')
		if f.poison[s.Key()] {
			poison = append(poison, s.Key())
		}
	}
	if len(poison) > 0 {
		if err := f.post(ctx, "/tried", about, strings.NewReader(strings.Join(poison, "\n"))); err != nil {
			return fmt.Errorf("poison: %w", err)
		}
	}
	if err := f.post(ctx, "/offers", about, &body); err != nil {
		return err
	}
	_, err := f.sender.Send(ctx, records)
	return err
}

func (f *enricher) post(ctx context.Context, path string, about http.Header, body io.Reader) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.app+path, body)
	if err != nil {
		return err
	}
	request.Header = about.Clone()
	response, err := f.http.Do(request)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	if err = errors.Join(err, response.Body.Close()); err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("the app answers %s", response.Status)
	}
	return err
}
