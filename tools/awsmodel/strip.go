package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// dropped are the members that a server has no use for, by the kind of object that they stand in. Names of operations, shapes and members are never looked up here.
var dropped = map[string][]string{
	"model":    {"documentation", "examples", "authorizers", "clientContextParams"},
	"metadata": {"globalEndpoint", "ripServiceName", "documentation"},
	"operation": {
		"documentation", "documentationUrl", "alias", "deprecatedMessage", "deprecatedSince", "endpoint", "endpointdiscovery", "endpointoperation",
		"httpChecksum", "httpChecksumRequired", "requestcompression", // what a client computes; a server reads the headers
		"staticContextParams", "operationContextParams", "contextParams", // for a client's choice of endpoint
		"internal", "internalonly",
	},
	"body":  {"documentation", "exception", "fault", "error", "union"},
	"shape": {"documentation", "box", "synthetic", "wrapper", "deprecated", "deprecatedMessage", "deprecatedSince", "requiresLength", "internal", "internalonly"},
	"member": {
		"documentation", "box", "contextParam", "deprecatedMessage", "deprecatedSince", "endpointdiscoveryid", "requiresLength", "internal", "internalonly",
		"enum", "min", "max", "pattern", // a handful of old models repeat them here
	},
}

// strip reads a model of botocore and writes the part that a server uses. What is neither kept nor known to
// be useless is an error. operations, when not 0, is how many operations the model must have. keep, when not nil, is the operations that keep
// what they take, answer and refuse: a server that refuses the others by name needs their names alone.
func strip(data []byte, operations int, keep []string) ([]byte, error) {
	var tree ordered[json.RawMessage]
	if err := json.Unmarshal(data, &tree); err != nil {
		return nil, err
	}
	drop(&tree, "model")
	if err := rewrite(&tree, "metadata", func(o *ordered[json.RawMessage]) error {
		drop(o, "metadata")
		return nil
	}); err != nil {
		return nil, err
	}
	if err := rewriteAll(&tree, "operations", stripOperation); err != nil {
		return nil, err
	}
	if err := rewriteAll(&tree, "shapes", stripShape); err != nil {
		return nil, err
	}
	var raw bytes.Buffer
	if err := writeJSON(&raw, tree); err != nil {
		return nil, err
	}
	var m model
	if err := unmarshalStrict(raw.Bytes(), &m); err != nil {
		return nil, err
	}
	if found := len(m.Operations.names); operations != 0 && found != operations {
		return nil, fmt.Errorf("%d operations, and %d are wanted", found, operations)
	}
	if keep != nil {
		if err := m.keepOnly(keep); err != nil {
			return nil, err
		}
	}
	raw.Reset()
	if err := writeJSON(&raw, m); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw.Bytes(), "", " "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

func stripOperation(o *ordered[json.RawMessage]) error {
	drop(o, "operation")
	for _, name := range []string{"input", "output"} {
		if err := rewrite(o, name, func(o *ordered[json.RawMessage]) error {
			drop(o, "body")
			return nil
		}); err != nil {
			return err
		}
	}
	raw, ok := o.values["errors"]
	if !ok {
		return nil
	}
	var errors []ordered[json.RawMessage]
	if err := json.Unmarshal(raw, &errors); err != nil {
		return err
	}
	for i := range errors {
		drop(&errors[i], "body")
	}
	return replace(o, "errors", errors)
}

func stripShape(o *ordered[json.RawMessage]) error {
	drop(o, "shape")
	for _, name := range []string{"member", "key", "value"} {
		if err := rewrite(o, name, stripMember); err != nil {
			return err
		}
	}
	return rewriteAll(o, "members", stripMember)
}

func stripMember(o *ordered[json.RawMessage]) error {
	drop(o, "member")
	return nil
}

func drop(o *ordered[json.RawMessage], kind string) {
	var kept []string
	for _, name := range o.names {
		if isDropped(kind, name) {
			delete(o.values, name)
			continue
		}
		kept = append(kept, name)
	}
	o.names = kept
}

func isDropped(kind, name string) bool { return slices.Contains(dropped[kind], name) }

// rewrite changes the object that is o's member name, if there is one.
func rewrite(o *ordered[json.RawMessage], name string, change func(*ordered[json.RawMessage]) error) error {
	raw, ok := o.values[name]
	if !ok {
		return nil
	}
	var inner ordered[json.RawMessage]
	if err := json.Unmarshal(raw, &inner); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := change(&inner); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return replace(o, name, inner)
}

// rewriteAll changes every object inside the object that is o's member name.
func rewriteAll(o *ordered[json.RawMessage], name string, change func(*ordered[json.RawMessage]) error) error {
	return rewrite(o, name, func(inner *ordered[json.RawMessage]) error {
		for _, each := range inner.names {
			if err := rewrite(inner, each, change); err != nil {
				return err
			}
		}
		return nil
	})
}

func replace(o *ordered[json.RawMessage], name string, value any) error {
	var raw bytes.Buffer
	if err := writeJSON(&raw, value); err != nil {
		return err
	}
	o.values[name] = raw.Bytes()
	return nil
}
