package policy_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/auth/policy"
	"github.com/weir-stream/weir/internal/fault"
)

const (
	mine   = "111111111111"
	theirs = "222222222222"
	stream = "arn:aws:kinesis:us-east-1:111111111111:stream/tolls"
)

// put is a PutRecord of alice in account mine.
func put() *policy.Request {
	return &policy.Request{
		Action: "kinesis:PutRecord", Resource: stream, Account: mine, ARN: "arn:aws:iam::" + mine + ":user/alice", User: "alice",
		SourceIP: netip.MustParseAddr("10.1.2.3"), Now: time.Date(2026, 11, 18, 13, 0, 0, 0, time.UTC), Region: "us-east-1",
		ResourceTags: map[string]string{"Team": "roads"}, ResourceAccount: mine,
		RequestTags: map[string]string{"Stage": "test"}, TagKeys: []string{"Stage", "Owner"},
	}
}

// statement writes a document of one statement from its parts, with ' for ".
func statement(parts string) string {
	return strings.ReplaceAll(`{'Version':'2012-10-17','Statement':[{`+parts+`}]}`, "'", `"`)
}

func identity(t *testing.T, parts ...string) *policy.Set {
	t.Helper()
	var docs []*policy.Document
	for _, p := range parts {
		doc, err := policy.ParseIdentity([]byte(statement(p)))
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, doc)
	}
	return policy.NewSet(docs...)
}

func resource(t *testing.T, parts string) *policy.Document {
	t.Helper()
	if parts == "" {
		return nil
	}
	doc, err := policy.ParseResource([]byte(statement(parts)))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// The table of who decides: each row is the policies of both sides, and whether the owner of the stream is the caller's account.
func TestDecide(t *testing.T) {
	const (
		allowAll  = `'Effect':'Allow','Action':'*','Resource':'*'`
		denyPut   = `'Effect':'Deny','Action':'kinesis:Put*','Resource':'*'`
		allowGet  = `'Effect':'Allow','Action':'kinesis:Get*','Resource':'*'`
		toAlice   = `'Effect':'Allow','Principal':{'AWS':'arn:aws:iam::111111111111:user/alice'},'Action':'kinesis:PutRecord','Resource':'` + stream + `'`
		toBob     = `'Effect':'Allow','Principal':{'AWS':['arn:aws:iam::111111111111:user/bob']},'Action':'kinesis:PutRecord','Resource':'` + stream + `'`
		toAccount = `'Effect':'Allow','Principal':{'AWS':'111111111111'},'Action':'kinesis:PutRecord','Resource':'` + stream + `'`
		toRoot    = `'Effect':'Allow','Principal':{'AWS':'arn:aws:iam::111111111111:root'},'Action':'kinesis:PutRecord','Resource':'` + stream + `'`
		toAll     = `'Effect':'Allow','Principal':'*','Action':'kinesis:PutRecord','Resource':'` + stream + `'`
		denyAll   = `'Effect':'Deny','Principal':'*','Action':'*','Resource':'*'`
		denyMine  = `'Effect':'Deny','Principal':{'AWS':'111111111111'},'Action':'*','Resource':'*'`
		notAlice  = `'Effect':'Deny','NotPrincipal':{'AWS':'arn:aws:iam::111111111111:user/alice'},'Action':'*','Resource':'*'`
		notBob    = `'Effect':'Deny','NotPrincipal':{'AWS':'arn:aws:iam::111111111111:user/bob'},'Action':'*','Resource':'*'`
		noID      = "because no identity-based policy allows the kinesis:PutRecord action"
		noRes     = "because no resource-based policy allows the kinesis:PutRecord action"
		deniedID  = "with an explicit deny in an identity-based policy"
		deniedRes = "with an explicit deny in a resource-based policy"
	)
	free := []string{"free"}
	for _, row := range []struct {
		name     string
		identity []string // "free" alone is an identity without restrictions
		resource string
		owner    string
		end      string // of the refusal; "" is allowed
	}{
		{"no restrictions", free, "", mine, ""},
		{"no restrictions, and a policy that is about others", free, toBob, mine, ""},
		{"no restrictions, denied by the stream", free, denyAll, mine, deniedRes},
		{"a policy that allows", []string{allowAll}, "", mine, ""},
		{"a policy about something else", []string{allowGet}, "", mine, noID},
		{"no policy at all", nil, "", mine, noID},
		{"the second policy allows", []string{allowGet, allowAll}, "", mine, ""},
		{"a deny goes before an allow", []string{allowAll, denyPut}, "", mine, deniedID},
		{"a deny goes before an allow of the stream", []string{denyPut}, toAlice, mine, deniedID},
		{"the stream allows this user", []string{allowGet}, toAlice, mine, ""},
		{"the stream allows everybody", []string{allowGet}, toAll, mine, ""},
		{"the stream allows another", []string{allowGet}, toBob, mine, noID},
		{"the stream allows the account, which leaves it to the identity", []string{allowGet}, toAccount, mine, noID},
		{"the same, and the identity allows", []string{allowAll}, toRoot, mine, ""},
		{"the stream denies the account", []string{allowAll}, denyMine, mine, deniedRes},
		{"denied is everybody but alice", []string{allowAll}, notAlice, mine, ""},
		{"denied is everybody but bob", []string{allowAll}, notBob, mine, deniedRes},

		{"across: no policy of the stream", free, "", theirs, noRes},
		{"across: the stream allows another", free, toBob, theirs, noRes},
		{"across: the stream allows the account", free, toAccount, theirs, ""},
		{"across: both allow", []string{allowAll}, toRoot, theirs, ""},
		{"across: the stream alone", []string{allowGet}, toAlice, theirs, noID},
		{"across: the stream alone, with its root", []string{allowGet}, toRoot, theirs, noID},
		{"across: the identity alone", []string{allowAll}, "", theirs, noRes},
		{"across: the stream denies", free, denyMine, theirs, deniedRes},
		{"across: everybody is allowed", free, toAll, theirs, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			var set *policy.Set
			if len(row.identity) != 1 || row.identity[0] != "free" {
				set = identity(t, row.identity...)
			}
			r := put()
			d := policy.Decide(set, resource(t, row.resource), row.owner, r)
			want := "User: arn:aws:iam::111111111111:user/alice is not authorized to perform: kinesis:PutRecord on resource: " + stream + " " + row.end
			if d.Allowed != (row.end == "") || !d.Allowed && d.Refusal(r) != want || !d.Stable {
				t.Errorf("allowed %v, stable %v: %s\nwant %q", d.Allowed, d.Stable, d.Refusal(r), row.end)
			}
		})
	}
}

// What an action or a resource pattern covers, and what it does not.
func TestPatterns(t *testing.T) {
	for _, row := range []struct {
		parts  string
		action string
		on     string
		want   bool
	}{
		{`'Action':'kinesis:putrecord','Resource':'*'`, "kinesis:PutRecord", stream, true},
		{`'Action':'KINESIS:PUT*','Resource':'*'`, "kinesis:PutRecords", stream, true},
		{`'Action':'kinesis:Put??????','Resource':'*'`, "kinesis:PutRecord", stream, true},
		{`'Action':'kinesis:Put?????','Resource':'*'`, "kinesis:PutRecord", stream, false},
		{`'Action':'kinesis:*Stream*','Resource':'*'`, "kinesis:DescribeStreamSummary", stream, true},
		{`'Action':['kinesis:Get*','kinesis:PutRecord'],'Resource':'*'`, "kinesis:PutRecord", stream, true},
		{`'NotAction':'kinesis:Delete*','Resource':'*'`, "kinesis:PutRecord", stream, true},
		{`'NotAction':'kinesis:Delete*','Resource':'*'`, "kinesis:DeleteStream", stream, false},
		{`'Action':'firehose:*','Resource':'*'`, "kinesis:PutRecord", stream, false},
		{`'Action':'*','Resource':'*'`, "kinesis:ListStreams", "*", true},
		{`'Action':'*','Resource':'` + stream + `'`, "kinesis:ListStreams", "*", false},
		{`'Action':'*','Resource':'arn:aws:kinesis:*:111111111111:stream/t*s'`, "kinesis:PutRecord", stream, true},
		{`'Action':'*','Resource':'arn:aws:kinesis:us-east-1:111111111111:stream/Tolls'`, "kinesis:PutRecord", stream, false},
		{`'Action':'*','Resource':'arn:aws:kinesis:us-east-?:*:stream/toll?'`, "kinesis:PutRecord", stream, true},
		{`'Action':'*','Resource':'arn:aws:kinesis:*:stream/tolls'`, "kinesis:PutRecord", stream, false}, // a * does not reach into the next part
		{`'Action':'*','Resource':'arn:aws:kinesis'`, "kinesis:PutRecord", stream, true},                 // what is left out is *
		{`'Action':'*','Resource':'arn:aws:kinesis:*:*:stream/tolls'`, "kinesis:SubscribeToShard", stream + "/consumer/c:1", false},
		{`'Action':'*','Resource':'arn:aws:kinesis:*:*:*/tolls/consumer/*'`, "kinesis:SubscribeToShard", stream + "/consumer/c:1", true},
		{`'Action':'*','NotResource':'arn:aws:kinesis:*:*:stream/secret*'`, "kinesis:PutRecord", stream, true},
		{`'Action':'*','NotResource':'arn:aws:kinesis:*:*:stream/toll*'`, "kinesis:PutRecord", stream, false},
	} {
		r := put()
		r.Action, r.Resource = row.action, row.on
		if got := policy.Decide(identity(t, `'Effect':'Allow',`+row.parts), nil, mine, r).Allowed; got != row.want {
			t.Errorf("%s: %s on %s: %v", row.parts, row.action, row.on, got)
		}
	}
}

// Each row is a condition under an Allow: whether it lets the request of put through, and whether the answer may be remembered.
func TestConditions(t *testing.T) {
	const ok, not = true, false
	for _, row := range []struct {
		condition      string
		allowed, fixed bool
	}{
		{`'StringEquals':{'aws:username':'alice'}`, ok, true},
		{`'StringEquals':{'AWS:UserName':['bob','alice']}`, ok, true},
		{`'StringEquals':{'aws:username':'Alice'}`, not, true},
		{`'StringEqualsIgnoreCase':{'aws:username':'Alice'}`, ok, true},
		{`'StringNotEquals':{'aws:username':['bob','alice']}`, not, true},
		{`'StringNotEquals':{'aws:username':['bob','carol']}`, ok, true},
		{`'StringNotEqualsIgnoreCase':{'aws:username':'ALICE'}`, not, true},
		{`'StringLike':{'aws:PrincipalArn':'*:user/a*'}`, ok, true},
		{`'StringNotLike':{'aws:PrincipalArn':'*:user/a*'}`, not, true},
		{`'ArnLike':{'aws:PrincipalArn':'arn:aws:iam::*:user/al?ce'}`, ok, true},
		{`'ArnEquals':{'aws:PrincipalArn':'arn:aws:iam::222222222222:user/*'}`, not, true},
		{`'ArnNotLike':{'aws:PrincipalArn':'arn:aws:iam::222222222222:user/*'}`, ok, true},
		{`'ArnNotEquals':{'aws:PrincipalArn':'arn:aws:iam::111111111111:user/alice'}`, not, true},
		{`'StringEquals':{'aws:PrincipalAccount':'111111111111'}`, ok, true},
		{`'StringEquals':{'aws:ResourceAccount':'111111111111','aws:RequestedRegion':'us-east-1'}`, ok, true},
		{`'StringEquals':{'aws:ResourceAccount':'111111111111','aws:RequestedRegion':'eu-west-1'}`, not, true},
		{`'StringEquals':{'aws:ResourceTag/Team':'roads'}`, ok, true},
		{`'StringEquals':{'aws:ResourceTag/team':'roads'}`, ok, true},
		{`'StringEquals':{'aws:ResourceTag/Owner':'roads'}`, not, true},
		{`'StringNotEquals':{'aws:ResourceTag/Owner':'roads'}`, ok, true}, // what is absent equals nothing
		{`'StringEqualsIfExists':{'aws:ResourceTag/Owner':'roads'}`, ok, true},
		{`'StringEqualsIfExists':{'aws:ResourceTag/Team':'rails'}`, not, true},
		{`'ForAnyValue:StringNotEquals':{'aws:ResourceTag/Owner':'roads'}`, not, true},
		{`'ForAllValues:StringEquals':{'aws:ResourceTag/Owner':'roads'}`, ok, true},
		{`'ForAnyValue:StringLike':{'aws:ResourceTag/Team':'r*'}`, ok, true},
		{`'Null':{'aws:ResourceTag/Owner':'true'}`, ok, true},
		{`'Null':{'aws:ResourceTag/Team':true}`, not, true},
		{`'Null':{'aws:ResourceTag/Team':'false'}`, ok, true},
		{`'StringEquals':{'aws:RequestTag/stage':'test'}`, ok, false},
		{`'StringEquals':{'aws:RequestTag/Stage':['prod','live']}`, not, false},
		{`'Null':{'aws:RequestTag/Owner':'true'}`, ok, false},
		{`'ForAllValues:StringEquals':{'aws:TagKeys':['Stage','Owner','Team']}`, ok, false},
		{`'ForAllValues:StringEquals':{'aws:TagKeys':['Stage','Team']}`, not, false},
		{`'ForAnyValue:StringEquals':{'aws:TagKeys':['Stage','Team']}`, ok, false},
		{`'ForAnyValue:StringLike':{'aws:TagKeys':'T*'}`, not, false},
		{`'ForAnyValue:StringNotEquals':{'aws:TagKeys':'Stage'}`, ok, false},
		{`'ForAllValues:StringNotEquals':{'aws:TagKeys':'Stage'}`, not, false},
		{`'Null':{'aws:TagKeys':'false'}`, ok, false},
		{`'Bool':{'aws:SecureTransport':'true'}`, not, false},
		{`'Bool':{'aws:SecureTransport':false}`, ok, false},
		{`'IpAddress':{'aws:SourceIp':'10.0.0.0/8'}`, ok, false},
		{`'IpAddress':{'aws:SourceIp':['192.168.0.0/16','10.1.2.3']}`, ok, false},
		{`'IpAddress':{'aws:SourceIp':'::ffff:10.1.2.3'}`, ok, false},
		{`'IpAddress':{'aws:SourceIp':'2001:db8::/32'}`, not, false},
		{`'NotIpAddress':{'aws:SourceIp':'10.0.0.0/8'}`, not, false},
		{`'DateGreaterThan':{'aws:CurrentTime':'2026-11-18T12:59:59Z'},'DateLessThan':{'aws:CurrentTime':'2026-11-18T13:00:01Z'}`, ok, false},
		{`'DateLessThanEquals':{'aws:CurrentTime':'2026-11-18'}`, not, false},
		{`'DateGreaterThanEquals':{'aws:EpochTime':1795006800}`, ok, false},
		{`'DateEquals':{'aws:CurrentTime':'2026-11-18T14:00:00+01:00'}`, ok, false},
		{`'DateNotEquals':{'aws:CurrentTime':'2026-11-18T14:00:00+01:00'}`, not, false},
		{`'NumericLessThan':{'aws:EpochTime':'1795006801'}`, ok, false},
		{`'NumericGreaterThanEquals':{'aws:EpochTime':'1795006801'}`, not, false},
		{`'NumericEquals':{'aws:username':'7'}`, not, true},
		{`'NumericNotEquals':{'aws:username':'7'}`, ok, true},
	} {
		set := identity(t, `'Effect':'Allow','Action':'*','Resource':'*','Condition':{`+row.condition+`}`)
		if d := policy.Decide(set, nil, mine, put()); d.Allowed != row.allowed || d.Stable != row.fixed {
			t.Errorf("%s: allowed %v, stable %v", row.condition, d.Allowed, d.Stable)
		}
	}
}

// A condition that is not known refuses, under Allow and under Deny, and says which it was; one beside it that is false settles the statement without it.
func TestUnknownConditionsRefuse(t *testing.T) {
	const allowAll = `'Effect':'Allow','Action':'*','Resource':'*'`
	for _, row := range []struct{ parts, says string }{
		{allowAll + `,'Condition':{'StringEquals':{'aws:PrincipalOrgID':'o-1'}}`, "because the condition key aws:PrincipalOrgID in an identity-based policy is not known to this version of Weir"},
		{allowAll + `,'Condition':{'BinaryEquals':{'aws:username':'YQ=='}}`, "because the condition operator BinaryEquals in an"},
		{allowAll + `,'Condition':{'ForSomeValues:StringEquals':{'aws:username':'alice'}}`, "because the condition operator ForSomeValues:StringEquals in an"},
		{allowAll + `,'Condition':{'NullIfExists':{'aws:username':'true'}}`, "because the condition operator NullIfExists in an"},
		{allowAll + `,'Condition':{'StringEquals':{'aws:ResourceTag/':'x'}}`, "because the condition key aws:ResourceTag/ in an"},
		{`'Effect':'Deny','Action':'*','Resource':'*','Condition':{'StringEquals':{'kinesis:Colour':'red'}}`, "because the condition key kinesis:Colour in an"},
		{`'Effect':'Deny','Action':'*','Resource':'*','Condition':{'StringEquals':{'kinesis:Colour':'red','aws:username':'bob'}}`, ""},
		{`'Effect':'Deny','Action':'kinesis:DeleteStream','Resource':'*','Condition':{'StringEquals':{'kinesis:Colour':'red'}}`, ""},
	} {
		r := put()
		d := policy.Decide(identity(t, allowAll, row.parts), nil, mine, r)
		if d.Allowed != (row.says == "") || !strings.Contains(d.Refusal(r), row.says) {
			t.Errorf("%s: allowed %v, %s", row.parts, d.Allowed, d.Refusal(r))
		}
	}
	r := put()
	r.ResourceTags = map[string]string{"team": "rails", "Team": "roads"}
	set := identity(t, allowAll+`,'Condition':{'StringEquals':{'aws:ResourceTag/team':'roads'}}`)
	if d := policy.Decide(set, nil, mine, r); d.Allowed || !strings.Contains(d.Refusal(r), "which of several tags") {
		t.Errorf("two tags of one name: %s", d.Refusal(r))
	}
}

// Each row is a document that is refused, and what the error must name.
func TestParseRefuses(t *testing.T) {
	const (
		good   = `'Effect':'Allow','Action':'kinesis:*','Resource':'*'`
		shared = `'Effect':'Allow','Principal':'*','Action':'kinesis:*','Resource':'*'`
	)
	for _, row := range []struct {
		resource   bool
		text, says string
	}{
		{false, ``, "no JSON"},
		{false, `{`, "no JSON at byte 1"},
		{false, `[]`, "not a JSON object"},
		{false, `{'Version':'2012-10-17'}`, "Statement is missing"},
		{false, `{'Version':'2013-10-17','Statement':{` + good + `}}`, "Version"},
		{false, `{'Statement':[]}`, "Statement is empty"},
		{false, `{'Statement':{` + good + `},'Statement':{` + good + `}}`, `"Statement" twice`},
		{false, `{'Statement':{` + good + `}} x`, "follows"},
		{false, `{'statement':{` + good + `}}`, "statement is not known"},
		{false, `{'Statement':[{` + good + `},{` + good + `,'Effekt':'Deny'}]}`, "Statement[1].Effekt is not known"},
		{false, `{'Statement':[{'Effect':'allow','Action':'*','Resource':'*'}]}`, "Statement[0].Effect"},
		{false, `{'Statement':[{'Effect':'Allow','Resource':'*'}]}`, "neither Action nor NotAction"},
		{false, `{'Statement':[{'Effect':'Allow','Action':'*','NotAction':'*','Resource':'*'}]}`, "both Action and NotAction"},
		{false, `{'Statement':[{'Effect':'Allow','Action':'PutRecord','Resource':'*'}]}`, "SERVICE:ACTION"},
		{false, `{'Statement':[{'Effect':'Allow','Action':'kin*:PutRecord','Resource':'*'}]}`, "SERVICE:ACTION"},
		{false, `{'Statement':[{'Effect':'Allow','Action':[],'Resource':'*'}]}`, "Action is empty"},
		{false, `{'Statement':[{'Effect':'Allow','Action':7,'Resource':'*'}]}`, "Action must be a text"},
		{false, `{'Statement':[{'Effect':'Allow','Action':'*'}]}`, "neither Resource nor NotResource"},
		{false, `{'Statement':[{'Effect':'Allow','Action':'*','Resource':'tolls'}]}`, `"tolls" is neither`},
		{false, `{'Statement':[{'Effect':'Allow','Action':'*','Resource':'arn:aws:kinesis:::stream/${aws:username}'}]}`, "policy variable"},
		{false, `{'Statement':[{` + good + `,'Principal':'*'}]}`, "has no Principal"},
		{false, `{'Statement':[{` + good + `,'Sid':'a'},{` + good + `,'Sid':'a'}]}`, `Statement[1]: the Sid "a"`},
		{false, `{'Statement':[{` + good + `,'Condition':[]}]}`, "Condition must be an object"},
		{false, `{'Statement':[{` + good + `,'Condition':{'Bool':{'aws:SecureTransport':'yes'}}}]}`, "Condition.Bool.aws:SecureTransport"},
		{false, `{'Statement':[{` + good + `,'Condition':{'IpAddress':{'aws:SourceIp':'10.0.0.0/33'}}}]}`, `"10.0.0.0/33"`},
		{false, `{'Statement':[{` + good + `,'Condition':{'DateLessThan':{'aws:CurrentTime':'soon'}}}]}`, `"soon"`},
		{false, `{'Statement':[{` + good + `,'Condition':{'NumericLessThan':{'aws:EpochTime':'NaN'}}}]}`, `"NaN"`},
		{false, `{'Statement':[{` + good + `,'Condition':{'Bool':{'aws:SecureTransport':null}}}]}`, "must be a text, number or bool"},
		{false, `{'Statement':[{` + good + `,'Condition':{'StringEquals':{'aws:TagKeys':'a'}}}]}`, "takes ForAllValues: or ForAnyValue:"},
		{false, `{'Statement':[[[[[[[[[[]]]]]]]]]]}`, "nested deeper"},
		{true, `{'Statement':[{` + good + `}]}`, "has no Principal"},
		{true, `{'Statement':[{` + shared + `,'NotPrincipal':'*'}]}`, "both Principal and NotPrincipal"},
		{true, `{'Statement':[{` + good + `,'NotPrincipal':{'AWS':'111111111111'}}]}`, "NotPrincipal with Allow"},
		{true, `{'Statement':[{` + good + `,'Principal':{'Service':'lambda.amazonaws.com'}}]}`, "kind Service are not supported"},
		{true, `{'Statement':[{` + good + `,'Principal':{'Federated':'x'}}]}`, "kind Federated are not supported"},
		{true, `{'Statement':[{` + good + `,'Principal':{'AWS':'alice'}}]}`, `"alice" is not`},
		{true, `{'Statement':[{` + good + `,'Principal':{'AWS':'arn:aws:iam::111111111111:user/*'}}]}`, "user/*"},
		{true, `{'Statement':[{` + good + `,'Principal':{'AWS':'arn:aws:sts::111111111111:assumed-role/x/y'}}]}`, "assumed-role"},
		{true, `{'Statement':[{` + good + `,'Principal':{'AWS':'arn:aws:iam::111111111111:group/x'}}]}`, "group/x"},
		{true, `{'Statement':[{` + good + `,'Principal':'111111111111'}]}`, `must be "*"`},
	} {
		read := policy.ParseIdentity
		if row.resource {
			read = policy.ParseResource
		}
		_, err := read([]byte(strings.ReplaceAll(row.text, "'", `"`)))
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s:\n%v, want %q", row.text, err, row.says)
		}
	}
	if _, err := policy.ParseIdentity([]byte(statement(good) + strings.Repeat(" ", 20<<10))); !fault.Is(err, fault.Invalid) {
		t.Errorf("a long document: %v", err)
	}
}

// FuzzParse: no text makes the parser panic, and what it takes it takes again.
func FuzzParse(f *testing.F) {
	f.Add(statement(`'Effect':'Allow','Action':'kinesis:*','Resource':'*','Condition':{'IpAddress':{'aws:SourceIp':['10.0.0.0/8']}}`), false)
	f.Add(statement(`'Effect':'Deny','Principal':{'AWS':['111111111111','arn:aws:iam::1:user/x']},'NotAction':['kinesis:Get*'],'NotResource':'arn:aws:kinesis'`), true)
	f.Fuzz(func(t *testing.T, text string, ofResource bool) {
		read := policy.ParseIdentity
		if ofResource {
			read = policy.ParseResource
		}
		doc, err := read([]byte(text))
		if (doc == nil) != (err != nil) || err != nil && !fault.Is(err, fault.Invalid) {
			t.Fatalf("%v, %v", doc, err)
		}
		if _, again := read([]byte(text)); (again == nil) != (err == nil) {
			t.Fatalf("first %v, then %v", err, again)
		}
	})
}

// FuzzEvaluate: whatever a document says, it decides without a panic and twice the same; with a deny of everything beside it nothing is allowed;
// and nobody is let across accounts by policies of his own.
func FuzzEvaluate(f *testing.F) {
	f.Add(statement(`'Effect':'Allow','Action':'kinesis:*','Resource':'*','Condition':{'StringLike':{'aws:username':'a*e'}}`), "kinesis:PutRecord", stream, "alice")
	f.Add(statement(`'Effect':'Allow','NotAction':'*??*','NotResource':'arn:*:*:*','Condition':{'DateLessThan':{'aws:EpochTime':'9'}}`), "x", "*", "")
	f.Fuzz(func(t *testing.T, text, action, on, user string) {
		doc, err := policy.ParseIdentity([]byte(text))
		if err != nil {
			return
		}
		r := put()
		r.Action, r.Resource, r.User = action, on, user
		first := policy.Decide(policy.NewSet(doc), nil, mine, r)
		if first != policy.Decide(policy.NewSet(doc), nil, mine, r) {
			t.Fatal("two answers to one question")
		}
		never, err := policy.ParseIdentity([]byte(statement(`'Effect':'Deny','Action':'*','Resource':'*'`)))
		if err != nil {
			t.Fatal(err)
		}
		if policy.Decide(policy.NewSet(doc, never), nil, mine, r).Allowed || policy.Decide(policy.NewSet(doc), nil, theirs, r).Allowed {
			t.Fatal("let through")
		}
	})
}
