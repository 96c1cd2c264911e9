// Package wire turns the bytes of AWS protocols into the shapes of the service models and back.
//
// It owns the schema (Service, Operation, Shape), the walk that binds a body to a generated struct and
// emits one, the constraint checks with AWS's texts, and an error as it is sent. It knows no service's
// meaning: what an operation does belongs to api, which kind of error becomes which AWS error to the table
// of each api package. The bytes themselves belong to jsonproto and cborproto, the generated tables to shapes.
//
// Read schema.go, then codec.go, bind.go and emit.go, then validate.go.
package wire
