package main

import "encoding/json"

// model is a service model of botocore (service-2.json), as much of it as a server uses. Its fields are the
// list of what strip keeps; dropped in strip.go is the list of what it cuts; anything else is refused by name.
type model struct {
	Version    string             `json:"version,omitzero"`
	Metadata   metadata           `json:"metadata"`
	Operations ordered[operation] `json:"operations"`
	Shapes     ordered[shape]     `json:"shapes"`
}

type metadata struct {
	APIVersion          string           `json:"apiVersion"`
	Auth                []string         `json:"auth,omitzero"`
	AWSQueryCompatible  *json.RawMessage `json:"awsQueryCompatible,omitzero"`
	ChecksumFormat      string           `json:"checksumFormat,omitzero"`
	EndpointPrefix      string           `json:"endpointPrefix"`
	JSONVersion         string           `json:"jsonVersion,omitzero"`
	Protocol            string           `json:"protocol"`
	Protocols           []string         `json:"protocols,omitzero"`
	ProtocolSettings    protocolSettings `json:"protocolSettings,omitzero"`
	ServiceAbbreviation string           `json:"serviceAbbreviation,omitzero"`
	ServiceFullName     string           `json:"serviceFullName"`
	ServiceID           string           `json:"serviceId"`
	SignatureVersion    string           `json:"signatureVersion"`
	SigningName         string           `json:"signingName,omitzero"`
	TargetPrefix        string           `json:"targetPrefix,omitzero"`
	TimestampFormat     string           `json:"timestampFormat,omitzero"`
	UID                 string           `json:"uid"`
	XMLNamespace        string           `json:"xmlNamespace,omitzero"`
}

type protocolSettings struct {
	H2 string `json:"h2,omitzero"`
}

type operation struct {
	Name            string   `json:"name"`
	HTTP            httpSpec `json:"http"`
	Input           *body    `json:"input,omitzero"`
	Output          *body    `json:"output,omitzero"`
	Errors          []body   `json:"errors,omitzero"`
	Auth            []string `json:"auth,omitzero"`
	AuthType        string   `json:"authtype,omitzero"`
	UnsignedPayload bool     `json:"unsignedPayload,omitzero"`
	Readonly        bool     `json:"readonly,omitzero"`
	Idempotent      bool     `json:"idempotent,omitzero"`
	Deprecated      bool     `json:"deprecated,omitzero"`
}

type httpSpec struct {
	Method       string `json:"method"`
	RequestURI   string `json:"requestUri"`
	ResponseCode int    `json:"responseCode,omitzero"`
}

// body refers to the shape of an input, an output or an error.
type body struct {
	Shape         string        `json:"shape"`
	LocationName  string        `json:"locationName,omitzero"`
	ResultWrapper string        `json:"resultWrapper,omitzero"`
	XMLNamespace  *xmlNamespace `json:"xmlNamespace,omitzero"`
}

type xmlNamespace struct {
	URI    string `json:"uri"`
	Prefix string `json:"prefix,omitzero"`
}

type shape struct {
	Type            string          `json:"type"`
	Required        []string        `json:"required,omitzero"`
	Members         ordered[member] `json:"members,omitzero"`
	Member          *member         `json:"member,omitzero"` // a list's
	Key             *member         `json:"key,omitzero"`    // a map's
	Value           *member         `json:"value,omitzero"`
	Min             *json.Number    `json:"min,omitzero"`
	Max             *json.Number    `json:"max,omitzero"`
	Pattern         string          `json:"pattern,omitzero"`
	Enum            []string        `json:"enum,omitzero"`
	Exception       bool            `json:"exception,omitzero"`
	Fault           bool            `json:"fault,omitzero"`
	Error           *errorTrait     `json:"error,omitzero"`
	Retryable       *retryable      `json:"retryable,omitzero"`
	Union           bool            `json:"union,omitzero"`
	Document        bool            `json:"document,omitzero"`
	EventStream     bool            `json:"eventstream,omitzero"`
	Event           bool            `json:"event,omitzero"`
	Sensitive       bool            `json:"sensitive,omitzero"`
	Streaming       bool            `json:"streaming,omitzero"`
	TimestampFormat string          `json:"timestampFormat,omitzero"`
	Payload         string          `json:"payload,omitzero"`
	LocationName    string          `json:"locationName,omitzero"`
	Flattened       bool            `json:"flattened,omitzero"`
	XMLNamespace    *xmlNamespace   `json:"xmlNamespace,omitzero"`
	XMLOrder        []string        `json:"xmlOrder,omitzero"`
}

type errorTrait struct {
	Code           string `json:"code,omitzero"`
	HTTPStatusCode int    `json:"httpStatusCode,omitzero"`
	SenderFault    bool   `json:"senderFault,omitzero"`
	Fault          bool   `json:"fault,omitzero"`
}

type retryable struct {
	Throttling bool `json:"throttling,omitzero"`
}

// member refers to the shape of a structure's member, a list's element or a map's key or value.
type member struct {
	Shape            string        `json:"shape"`
	Location         string        `json:"location,omitzero"`
	LocationName     string        `json:"locationName,omitzero"`
	QueryName        string        `json:"queryName,omitzero"`
	Flattened        bool          `json:"flattened,omitzero"`
	XMLAttribute     bool          `json:"xmlAttribute,omitzero"`
	XMLNamespace     *xmlNamespace `json:"xmlNamespace,omitzero"`
	Streaming        bool          `json:"streaming,omitzero"`
	TimestampFormat  string        `json:"timestampFormat,omitzero"`
	EventPayload     bool          `json:"eventpayload,omitzero"`
	EventHeader      bool          `json:"eventheader,omitzero"`
	JSONValue        bool          `json:"jsonvalue,omitzero"`
	HostLabel        bool          `json:"hostLabel,omitzero"`
	IdempotencyToken bool          `json:"idempotencyToken,omitzero"`
	Deprecated       bool          `json:"deprecated,omitzero"`
}
