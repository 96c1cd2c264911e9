// Package shapes holds one generated package per AWS service: its Go structs, and the tables that wire's codecs
// and checks walk.
//
// It owns nothing but the command that writes them; what the tables mean belongs to wire, how they are made
// to tools/awsmodel, and where the models come from is told in docs/format/wire-models.md. Never edit a file
// whose name ends in _gen.go.
//
// Read kinesis/service_gen.go, then kinesis/types_gen.go.
package shapes

//go:generate go run ../../../tools/awsmodel generate -models ../../../tools/models -out .
