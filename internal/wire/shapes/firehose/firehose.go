// Package firehose holds the wire shapes of Firehose, generated from the AWS service model.
//
// It owns the structs (types_gen.go), the values of enums (enums_gen.go), the tables that codecs and checks
// walk (schema_gen.go) and the list of operations (service_gen.go). A field that is nil is absent; fields
// have the names that AWS gives them. What an operation does belongs to api/firehose.
//
// Read service_gen.go, then types_gen.go.
package firehose
