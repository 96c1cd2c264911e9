package aws

import (
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/weir-stream/weir/internal/auth"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/node"
	"github.com/weir-stream/weir/internal/vfs"
)

// keyed is a server that verifies signatures, and the keys it verifies them with. It starts with the first session, so that keys made before need
// not be waited for.
type keyed struct {
	*server
	t      *testing.T
	dir    string
	keys   *auth.Store
	config node.Config
}

// newKeyed is a server as weir serve runs it, in a directory of its own, which ends with the test.
func newKeyed(t *testing.T, config node.Config) *keyed {
	t.Helper()
	k := &keyed{t: t, dir: t.TempDir(), server: &server{}, config: config}
	k.config.DataDir = k.dir
	if k.config.Limits == "" {
		k.config.Limits = "off" // as in dev: a test may do what it does as often as it likes
	}
	files, err := vfs.NewOS(k.dir)
	if err != nil {
		t.Fatal(err)
	}
	if k.keys, err = auth.OpenStore(files, clock.Real, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.halt(t) })
	return k
}

// serve starts the server if it does not run: at first, and after it was halted.
func (k *keyed) serve() {
	k.t.Helper()
	if k.server.node != nil {
		return
	}
	var err error
	if k.server, err = serve(k.config); err != nil {
		k.t.Fatal(err)
	}
}

// key makes a key whose user has the policies. Without any it may do everything in its account.
func (k *keyed) key(account, user string, policies ...string) aws.Credentials {
	k.t.Helper()
	spec := auth.Spec{Account: account, User: user}
	for i, document := range policies {
		spec.Policies = append(spec.Policies, auth.Policy{Name: "p" + string(rune('a'+i)), Document: []byte(document)})
	}
	made, err := k.keys.Make(spec)
	if err != nil {
		k.t.Fatal(err)
	}
	return aws.Credentials{AccessKeyID: made.ID, SecretAccessKey: made.Secret}
}

// as is a session with a key of an account, over HTTP/1.1, once the server has seen the key.
func (k *keyed) as(account string, key aws.Credentials) *session {
	k.t.Helper()
	return k.over(transports[0], account, key)
}

func (k *keyed) over(over transport, account string, key aws.Credentials) *session {
	k.t.Helper()
	k.serve()
	s := k.signedSession(k.t, over, key, "us-east-1")
	s.account = account
	eventually(k.t, "the server to know the key", func() bool {
		_, err := s.ListStreams(s.ctx, nil)
		return errorCode(err) != "UnrecognizedClientException"
	})
	return s
}

func authPolicy(name, document string) auth.Policy {
	return auth.Policy{Name: name, Document: []byte(document)}
}

// lockedBuffer is a log that a test looks into while the server writes.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *lockedBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }
