package expr

import (
	"strings"
	"testing"

	"github.com/weir-stream/weir/internal/tables/value"
)

func num(text string) value.Value {
	n, err := value.ParseNumber(text)
	if err != nil {
		panic(err)
	}
	return value.Numeric(n)
}

func list(vs ...value.Value) value.Value { return value.Value{Kind: value.L, List: vs} }
func set(elements ...string) value.Value { return value.Value{Kind: value.SS, Set: elements} }
func attrs(pairs ...any) value.Item {
	it := value.Item{}
	for i := 0; i < len(pairs); i += 2 {
		it = it.With(pairs[i].(string), pairs[i+1].(value.Value))
	}
	return it
}
func m(pairs ...any) value.Value { return value.Value{Kind: value.M, Map: attrs(pairs...)} }

// show is an item as these tests write it.
func show(it value.Item) string { return showValue(value.Value{Kind: value.M, Map: it}) }

func showValue(v value.Value) string {
	switch v.Kind {
	case value.N:
		return v.Number().String()
	case value.M:
		var parts []string
		for _, a := range v.Map {
			parts = append(parts, a.Name+":"+showValue(a.Value))
		}
		return "{" + strings.Join(parts, " ") + "}"
	case value.L:
		var parts []string
		for _, e := range v.List {
			parts = append(parts, showValue(e))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case value.SS:
		return "<" + strings.Join(v.Set, " ") + ">"
	case value.BOOL:
		if v.Bool {
			return "true"
		}
		return "false"
	}
	return v.Text
}

// theItem is what conditions are held against, and theValues what they may name.
var (
	theItem = attrs("a", value.String("abc"), "n", num("5"), "s", set("x", "y"), "l", list(num("1"), value.String("two"), m("k", num("3"))),
		"mp", m("inn", m("deep", num("7")), "name", value.String("b")), "t", value.Bool(true), "b", value.Binary([]byte("\x01\x02")))
	theNames  = map[string]string{"#n": "n", "#name": "name", "#dot": "with.dot"}
	theValues = map[string]value.Value{":a": value.String("abc"), ":ab": value.String("ab"), ":5": num("5"), ":4": num("4"), ":6": num("6"), ":x": value.String("x"),
		":two": value.String("two"), ":1": num("1"), ":7": num("7"), ":3": num("3"), ":true": value.Bool(true), ":S": value.String("S"), ":M": value.String("M"),
		":Q": value.String("Q"), ":b1": value.Binary([]byte("\x01")), ":l": list(num("9")), ":set": set("x", "z"), ":50": num("5.0")}
)

func placeholders(t testing.TB) *Placeholders {
	p, err := NewPlaceholders(theNames, theValues)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestConditions holds conditions against one item: true, false, or what is wrong with them. Each also goes through its bytes.
func TestConditions(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"a = :a", "true"}, {"a = :5", "false"}, {"a <> :5", "true"}, {"gone <> :5", "true"}, {"gone = :5", "false"}, {"n = :50", "true"},
		{"#n < :6", "true"}, {"#n > :6", "false"}, {"n >= :5 AND n <= :5", "true"}, {"a < :6", "false"}, {"a > :6", "false"},
		{"n BETWEEN :4 AND :6", "true"}, {"n BETWEEN :4 AND :6 AND a = :ab", "false"}, {"n between :6 and :6 or a = :a", "true"},
		{"n IN (:4, :5)", "true"}, {"gone IN (:4)", "false"}, {"NOT n = :4", "true"}, {"NOT (n = :4 OR a = :a)", "false"},
		{"a = :a OR n = :4 AND a = :ab", "true"}, {"(a = :a OR n = :4) AND a = :ab", "false"},
		{"attribute_exists(a)", "true"}, {"attribute_exists(mp.inn.deep)", "true"}, {"attribute_exists(l[3])", "false"}, {"attribute_not_exists(l[1].k)", "true"},
		{"attribute_not_exists(gone.deep)", "true"}, {"attribute_type(a, :S)", "true"}, {"attribute_type(mp, :M)", "true"}, {"attribute_type(gone, :S)", "false"},
		{"begins_with(a, :ab)", "true"}, {"begins_with(b, :b1)", "true"}, {"begins_with(n, :ab)", "false"},
		{"contains(a, :ab)", "true"}, {"contains(s, :x)", "true"}, {"contains(l, :two)", "true"}, {"contains(l, :4)", "false"}, {"contains(s, :1)", "false"},
		{"size(a) = :3", "true"}, {"size(s) < :3", "true"}, {"size(mp.inn) = :1", "true"}, {"size(n) > :1", "false"}, {":3 = size(l)", "true"},
		{"l[0] = :1", "true"}, {"l[2].k = :3", "true"}, {"mp.#name = :x", "false"}, {"mp.inn.deep = :7", "true"}, {"t = :true", "true"}, {"(a) = :a", "true"},
		{"#dot = :a", "false"},

		{"", "Invalid X: The expression can not be empty;"},
		{"a = ", `Invalid X: Syntax error; token: "<EOF>", near: "="`},
		{"a == :a", `Invalid X: Syntax error; token: "=", near: "== :a"`},
		{"a", `Invalid X: Syntax error; token: "<EOF>", near: "a"`},
		{"a = :a b", `Invalid X: Syntax error; token: "b", near: ":a b"`},
		{"a = :nope", "Invalid X: An expression attribute value used in expression is not defined; attribute value: :nope"},
		{"#nope = :a", "Invalid X: An expression attribute name used in the document path is not defined; attribute name: #nope"},
		{"name = :a", "Invalid X: Attribute name is a reserved keyword; reserved keyword: name"},
		{"mp.Name = :a", "Invalid X: Attribute name is a reserved keyword; reserved keyword: Name"},
		{"attribute_exist(a)", "Invalid X: Invalid function name; function: attribute_exist"},
		{"attribute_exists(a, b)", "Invalid X: Incorrect number of operands for operator or function; operator or function: attribute_exists, number of operands: 2"},
		{"attribute_exists(:a)", "Invalid X: Operator or function requires a document path; operator or function: attribute_exists"},
		{"attribute_type(a, :Q)", "Invalid X: Invalid attribute type name found; type: Q, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}"},
		{"begins_with(a, :5)", "Invalid X: Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"},
		{"if_not_exists(a, :5)", "Invalid X: The function is not allowed in a condition expression; function: if_not_exists"},
		{"size(a)", `Invalid X: Syntax error; token: "<EOF>", near: ")"`},
		{"contains(a, :a) = :true", `Invalid X: Syntax error; token: "=", near: ") = :true"`},
		{"a = attribute_exists(b)", "Invalid X: The function is not allowed to be used this way in an expression; function: attribute_exists"},
		{"a = a", "Invalid X: The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [a]"},
		{"n BETWEEN :6 AND :4", "Invalid X: The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {N:6}, upper bound operand: AttributeValue: {N:4}"},
		{"((a = :a))", "Invalid X: The expression has redundant parentheses;"},
		{"a < :true", "Invalid X: Incorrect operand type for operator or function; operator or function: <, operand type: BOOL"},
		{strings.Repeat("a", 4097), "Invalid X: Expression size has exceeded the maximum allowed size; expression size: 4097"},
		{"a = :a" + strings.Repeat(" OR a = :a", 200), "Invalid X: The expression contains too many operators; operator count: 301"},
		{"a IN (" + strings.Repeat(":5,", 100) + ":5)", "Invalid X: The IN operator is provided with too many operands; number of operands: 101"},
		{"l[1 = :a", `Invalid X: Syntax error; token: "=", near: "1 = :a"`},
		{"a & b", `Invalid X: Syntax error; token: "&", near: "a & b"`},
	} {
		n, err := ParseCondition("X", row.text, placeholders(t))
		if err != nil {
			if err.Error() != row.want {
				t.Errorf("%.60q: %q, want %q", row.text, err, row.want)
			}
			continue
		}
		back, rest, err := CutNode(string(AppendNode(nil, n)))
		if err != nil || rest != "" {
			t.Errorf("%q: its bytes: %v", row.text, err)
			continue
		}
		got := "false"
		if back.True(theItem) {
			got = "true"
		}
		if got != row.want {
			t.Errorf("%q is %s, want %q", row.text, got, row.want)
		}
	}
}

// TestUpdates applies updates to one item, through their bytes, and shows the item or what is wrong.
func TestUpdates(t *testing.T) {
	item := attrs("id", num("1"), "n", num("5"), "s", set("x", "y"), "l", list(num("0"), num("1"), num("2"), num("3")), "m", m("k", num("1"), "l", list(num("7"))))
	base := "{id:1 l:[0 1 2 3] m:{k:1 l:[7]} n:5 s:<x y>}"
	for _, row := range []struct{ text, want string }{
		{"SET n = :6", "{id:1 l:[0 1 2 3] m:{k:1 l:[7]} n:6 s:<x y>}"},
		{"SET n = n + :5, q = n", "{id:1 l:[0 1 2 3] m:{k:1 l:[7]} n:10 q:5 s:<x y>}"},
		{"SET n = :5 - n", "{id:1 l:[0 1 2 3] m:{k:1 l:[7]} n:0 s:<x y>}"},
		{"SET q = if_not_exists(q, :4) + :1", "{id:1 l:[0 1 2 3] m:{k:1 l:[7]} n:5 q:5 s:<x y>}"},
		{"SET n = if_not_exists(n, :4)", base},
		{"SET l = list_append(l, :l)", "{id:1 l:[0 1 2 3 9] m:{k:1 l:[7]} n:5 s:<x y>}"},
		{"SET l = list_append(:l, if_not_exists(q, :l))", "{id:1 l:[9 9] m:{k:1 l:[7]} n:5 s:<x y>}"},
		{"SET l[1] = :6, l[9] = :7, l[8] = :5", "{id:1 l:[0 6 2 3 5 7] m:{k:1 l:[7]} n:5 s:<x y>}"},
		{"SET m.k = :6, m.q = :a", "{id:1 l:[0 1 2 3] m:{k:6 l:[7] q:abc} n:5 s:<x y>}"},
		{"SET m.l[0] = :6", "{id:1 l:[0 1 2 3] m:{k:1 l:[6]} n:5 s:<x y>}"},
		{"REMOVE n, l[0], l[2], gone", "{id:1 l:[1 3] m:{k:1 l:[7]} s:<x y>}"},
		{"REMOVE m.l[0] SET l[3] = :6", "{id:1 l:[0 1 2 6] m:{k:1 l:[]} n:5 s:<x y>}"},
		{"ADD n :6, q :4 DELETE s :set", "{id:1 l:[0 1 2 3] m:{k:1 l:[7]} n:11 q:4 s:<y>}"},
		{"ADD s :set", "{id:1 l:[0 1 2 3] m:{k:1 l:[7]} n:5 s:<x y z>}"},
		{"DELETE q :set", base},
		{"add m.k :4 set q = :4", "{id:1 l:[0 1 2 3] m:{k:5 l:[7]} n:5 q:4 s:<x y>}"},

		{"SET n = q", "The provided expression refers to an attribute that does not exist in the item"},
		{"SET n = q + :5", "The provided expression refers to an attribute that does not exist in the item"},
		{"SET n = s + :5", "An operand in the update expression has an incorrect data type"},
		{"ADD s :5", "An operand in the update expression has an incorrect data type"},
		{"SET q.k = :5", "The document path provided in the update expression is invalid for update"},
		{"SET n[0] = :5", "The document path provided in the update expression is invalid for update"},
		{"REMOVE q.k", "The document path provided in the update expression is invalid for update"},
		{"SET", `Invalid UpdateExpression: Syntax error; token: "<EOF>", near: "SET"`},
		{"n = :5", `Invalid UpdateExpression: Syntax error; token: "n", near: "n ="`},
		{"SET n = :5 SET q = :5", `Invalid UpdateExpression: The "SET" section can only be used once in an update expression;`},
		{"SET m = :5, m.k = :5", "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [m], path two: [m, k]"},
		{"SET m.k = :5, m[0] = :5", "Invalid UpdateExpression: Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [m, k], path two: [m, [0]]"},
		{"ADD q :a", "Invalid UpdateExpression: Incorrect operand type for operator or function; operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND"},
		{"DELETE q :5", "Invalid UpdateExpression: Incorrect operand type for operator or function; operator: DELETE, operand type: NUMBER, typeSet: ALLOWED_FOR_DELETE_OPERAND"},
		{"SET q = size(a)", "Invalid UpdateExpression: The function is not allowed in an update expression; function: size"},
		{"SET q = list_append(:a, :l)", "Invalid UpdateExpression: Incorrect operand type for operator or function; operator or function: list_append, operand type: S"},
		{"SET q = :a + :5", "Invalid UpdateExpression: Incorrect operand type for operator or function; operator or function: +, operand type: S"},
	} {
		u, err := ParseUpdate(row.text, placeholders(t))
		if err == nil {
			var rest string
			if u, rest, err = CutUpdate(string(AppendUpdate(nil, u))); err != nil || rest != "" {
				t.Errorf("%q: its bytes: %v", row.text, err)
				continue
			}
			var out value.Item
			if out, err = u.Apply(item); err == nil {
				if got := show(out); got != row.want {
					t.Errorf("%q makes %s, want %s", row.text, got, row.want)
				}
			}
		}
		if err != nil && err.Error() != row.want {
			t.Errorf("%q: %q, want %q", row.text, err, row.want)
		}
		if got := show(item); got != base {
			t.Fatalf("%q changed the item it was given: %s", row.text, got)
		}
	}
}

// TestProjections shows parts of an item.
func TestProjections(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"a, n", "{a:abc n:5}"}, {"gone", "{}"}, {"l[2].k, l[0]", "{l:[1 {k:3}]}"}, {"mp.inn.deep, mp.#name", "{mp:{inn:{deep:7} name:b}}"}, {"mp.gone", "{}"},
		{"a, a.b", "Invalid ProjectionExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a, b]"},
		{"a,", `Invalid ProjectionExpression: Syntax error; token: "<EOF>", near: ","`},
	} {
		pr, err := ParseProjection(row.text, placeholders(t))
		var got string
		if err != nil {
			got = err.Error()
		} else {
			got = show(pr.Of(theItem))
		}
		if got != row.want {
			t.Errorf("%q is %s, want %s", row.text, got, row.want)
		}
	}
}

// TestKeyConditions shows which conditions read a table with the keys a (hash) and n (range).
func TestKeyConditions(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"a = :a", "abc"}, {"a = :a AND n > :4", "abc > 4"}, {":4 < #n AND :a = a", "abc > 4"}, {"a = :a AND n BETWEEN :4 AND :6", "abc BETWEEN 4 6"},
		{"a = :a AND begins_with(n, :ab)", "abc begins_with ab"}, {"(a = :a) AND (n = :4)", "abc = 4"},
		{"n = :4", "Query condition missed key schema element: a"},
		{"a > :a", "Query key condition not supported"},
		{"a = :a AND x = :4", "Query condition missed key schema element: n"},
		{"a = :a AND n = :4 AND x = :4", "Query key condition not supported"},
		{"a = :a AND n > :4 AND n < :6", "KeyConditionExpressions must only contain one condition per key"},
		{"a = :a OR n = :4", "Invalid operator used in KeyConditionExpression: OR"},
		{"a = :a AND contains(n, :ab)", "Invalid operator used in KeyConditionExpression: contains"},
		{"a = :a AND size(n) = :4", "KeyConditionExpressions cannot contain nested operations"},
		{"a.b = :a", "KeyConditionExpressions cannot have conditions on nested attributes"},
	} {
		k, err := ParseKeyCondition(row.text, placeholders(t), "a", "n")
		got := showValue(k.Hash)
		if err != nil {
			got = err.Error()
		} else if k.Range != 0 {
			got += " " + opNames[k.Range] + " " + showValue(k.Low)
			if k.High.Exists() {
				got += " " + showValue(k.High)
			}
		}
		if got != row.want {
			t.Errorf("%q is %q, want %q", row.text, got, row.want)
		}
	}
}

// TestPlaceholders shows what is wrong with names and values themselves.
func TestPlaceholders(t *testing.T) {
	for _, row := range []struct {
		names  map[string]string
		values map[string]value.Value
		text   string
		want   string
	}{
		{map[string]string{}, nil, "", "ExpressionAttributeNames must not be empty"},
		{map[string]string{"#a": ""}, nil, "", `ExpressionAttributeNames contains invalid value: the attribute name is empty; key: "#a"`},
		{map[string]string{"a": "b"}, nil, "", `ExpressionAttributeNames contains invalid key: Syntax error; key: "a"`},
		{nil, map[string]value.Value{}, "", "ExpressionAttributeValues must not be empty"},
		{nil, map[string]value.Value{":": num("1")}, "", `ExpressionAttributeValues contains invalid key: Syntax error; key: ":"`},
		{map[string]string{"#a": "a", "#c": "c", "#b": "b"}, nil, "attribute_exists(#a)", "Value provided in ExpressionAttributeNames unused in expressions: keys: {#b, #c}"},
		{nil, map[string]value.Value{":a": num("1"), ":b": num("1")}, "x = :a", "Value provided in ExpressionAttributeValues unused in expressions: keys: {:b}"},
		{map[string]string{"#a": "a"}, map[string]value.Value{":b": num("1")}, "#a = :b", "<nil>"},
	} {
		p, err := NewPlaceholders(row.names, row.values)
		if err == nil {
			if _, err := ParseCondition("X", row.text, p); err != nil {
				t.Fatal(err)
			}
			err = p.Unused()
		}
		got := "<nil>"
		if err != nil {
			got = err.Error()
		}
		if got != row.want {
			t.Errorf("%v %v: %q, want %q", row.names, row.values, got, row.want)
		}
	}
}

// TestReservedWords counts the list and asks for some.
func TestReservedWords(t *testing.T) {
	if len(reserved) != 573 {
		t.Errorf("%d reserved words; AWS's page has 573", len(reserved))
	}
	for word, want := range map[string]bool{"name": true, "Status": true, "TTL": true, "leaseKey": false, "checkpoint": false} {
		if isReserved(word) != want {
			t.Errorf("%s reserved: %v", word, !want)
		}
	}
}

// FuzzCondition parses anything, and what it takes goes through its bytes and is evaluated.
func FuzzCondition(f *testing.F) {
	for _, text := range []string{"a = :a AND NOT (n < :5 OR contains(l[2].k, :x))", "size(a) BETWEEN :4 AND :6", "((((", "SET a = :a"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p := placeholders(t)
		if n, err := ParseCondition("X", text, p); err == nil {
			back, rest, err := CutNode(string(AppendNode(nil, n)))
			if err != nil || rest != "" || back.True(theItem) != n.True(theItem) {
				t.Errorf("%q differs after its bytes: %v", text, err)
			}
		}
		if u, err := ParseUpdate(text, p); err == nil {
			back, rest, err := CutUpdate(string(AppendUpdate(nil, u)))
			if err != nil || rest != "" {
				t.Fatalf("%q does not come back: %v", text, err)
			}
			a, errA := u.Apply(theItem)
			b, errB := back.Apply(theItem)
			if (errA == nil) != (errB == nil) || !value.EqualItems(a, b) {
				t.Errorf("%q differs after its bytes", text)
			}
			u.Touched().Of(a)
		}
		if pr, err := ParseProjection(text, p); err == nil {
			pr.Of(theItem)
		}
		_, _ = ParseKeyCondition(text, p, "a", "n")
	})
}

// FuzzCut reads any bytes as what the log holds.
func FuzzCut(f *testing.F) {
	f.Add(string(AppendNode(nil, &Node{Op: OpEqual, Args: []*Node{Attribute("a"), Literal(num("1"))}})))
	f.Add(string(AppendUpdate(nil, Update{{Act: ActRemove, Path: Path{{Name: "a"}}}})))
	f.Fuzz(func(t *testing.T, s string) {
		if n, _, err := CutNode(s); err == nil {
			n.True(theItem)
		}
		if u, _, err := CutUpdate(s); err == nil {
			_, _ = u.Apply(theItem)
		}
	})
}
