package arn

import (
	"strings"

	"github.com/weir-stream/weir/internal/fault"
)

const (
	lambda         = "lambda"
	functionPrefix = "function:"
)

// Function is the ARN of a Lambda function, or of one of its versions or aliases: arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]. An empty qualifier is none.
func Function(region, account, name, qualifier string) ARN {
	a := ARN{Partition: PartitionOf(region), Service: lambda, Region: region, Account: account, Resource: functionPrefix + name}
	if qualifier != "" {
		a.Resource += ":" + qualifier
	}
	return a
}

// FunctionName is the name of the function that a names, and the qualifier, if there is one. Invalid when a is not the ARN of a function.
func (a ARN) FunctionName() (name, qualifier string, err error) {
	rest, ok := strings.CutPrefix(a.Resource, functionPrefix)
	name, qualifier, qualified := strings.Cut(rest, ":")
	if !ok || a.Service != lambda || a.Region == "" || a.Account == "" || !isFunctionName(name) || qualified && !isQualifier(qualifier) {
		return "", "", fault.New(fault.Invalid, "arn %q is not that of a function", a)
	}
	return name, qualifier, nil
}

// functionNameMax and qualifierMax are in characters (API_CreateFunction: 64; API_CreateAlias: 128).
const (
	functionNameMax = 64
	qualifierMax    = 128
)

func isFunctionName(name string) bool {
	return len(name) > 0 && len(name) <= functionNameMax && !strings.ContainsFunc(name, outsideFunctionNames)
}

func isQualifier(text string) bool {
	return text == "$LATEST" || len(text) > 0 && len(text) <= qualifierMax && !strings.ContainsFunc(text, outsideFunctionNames)
}

func outsideFunctionNames(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}
