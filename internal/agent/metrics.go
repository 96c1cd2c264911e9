package agent

import (
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// Metrics are told of each request.
type Metrics interface {
	// Request is one request of records to a destination: how many were in it, how many and how many bytes were taken, how many refused one by one, and the error of
	// the request as a whole.
	Request(destination string, asked, sent, sentBytes, failed int, err error)
}

// Reporter is the part of client/report that the metrics go through.
type Reporter interface {
	Add(name string, value float64, unit cloudwatchtypes.StandardUnit, dims ...cloudwatchtypes.Dimension)
}

// cloudWatch reports the metrics of the Kinesis Agent under its names.
type cloudWatch struct {
	reporter Reporter
	instance string // empty is no dimension Instance
}

func (m cloudWatch) Request(destination string, asked, sent, sentBytes, failed int, err error) {
	name, instance := "Destination", "Instance"
	dims := []cloudwatchtypes.Dimension{{Name: &name, Value: &destination}}
	if m.instance != "" {
		dims = append(dims, cloudwatchtypes.Dimension{Name: &instance, Value: &m.instance})
	}
	add := func(name string, value int, unit cloudwatchtypes.StandardUnit) {
		m.reporter.Add(name, float64(value), unit, dims...)
	}
	add("RecordSendAttempts", asked, cloudwatchtypes.StandardUnitCount)
	if err != nil {
		add("ServiceErrors", 1, cloudwatchtypes.StandardUnitCount)
		return
	}
	add("ServiceErrors", 0, cloudwatchtypes.StandardUnitCount)
	add("BytesSent", sentBytes, cloudwatchtypes.StandardUnitBytes)
	add("RecordsSent", sent, cloudwatchtypes.StandardUnitCount)
	add("RecordSendErrors", failed, cloudwatchtypes.StandardUnitCount)
}
