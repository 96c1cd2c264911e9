package node

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"

	"github.com/weir-stream/weir/internal/api/lambda"
	"github.com/weir-stream/weir/internal/audit"
	"github.com/weir-stream/weir/internal/auth"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/console"
	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/functions"
	"github.com/weir-stream/weir/internal/sandbox"
	"github.com/weir-stream/weir/internal/vfs"
)

// The logs of functions, which are the system's own: what exists, and asynchronous events. docs/format/functions.md draws them.
var (
	functionsLog = commitlog.ID{Member: 2}
	eventsLog    = commitlog.ID{Member: 3}
)

// openFunctions makes the parts that run functions, and gives their API.
func (n *Node) openFunctions(ctx context.Context, fs vfs.FS, now clock.Clock, keys *auth.Store, auditLog *audit.Log) (*lambda.API, error) {
	o := functions.Options{
		FS: fs, Dir: datadir.Functions, Clock: now, TestClock: n.config.TestClock != "", Random: rand.Reader, Logger: n.logger,
		Credentials: &functionKeys{node: n, keys: keys, made: map[string][]string{}}, Objects: codeObjects{n},
	}
	for id, log := range map[commitlog.ID]*commitlog.Log{functionsLog: &o.Log, eventsLog: &o.Events} {
		err := n.store.Create(ctx, id, commitlog.Config{})
		if err == nil {
			*log, err = n.store.Open(ctx, id)
		}
		if err != nil {
			return nil, err
		}
	}
	var session [8]byte
	if _, err := rand.Read(session[:]); err != nil {
		return nil, fault.As(fault.Internal, err, "session id")
	}
	o.Session = binary.BigEndian.Uint64(session[:]) | 1
	pool, err := n.openPool(&o)
	if err != nil {
		return nil, err
	}
	o.Sandbox, o.Forget, o.Observe = pool, pool.Forget, newFunctionMetrics(n.metrics.registry).observe
	if !n.config.Dev {
		if err := forgetFunctionKeys(keys); err != nil {
			return nil, err
		}
	}
	if n.functions, err = functions.Open(ctx, o); err != nil {
		return nil, fault.Wrap(err, "functions")
	}
	n.metrics.watchFunctions(n.functions, pool)
	if err := n.openMappings(ctx, fs, now); err != nil {
		return nil, err
	}
	return lambda.New(lambda.Options{Functions: n.functions, Mappings: n.mappings, Clock: now, Audit: auditLog, Logger: n.logger, Architecture: architecture()}), nil
}

// architecture is the machine's, as Lambda calls it.
func architecture() string {
	if runtime.GOARCH == "amd64" {
		return "x86_64"
	}
	return runtime.GOARCH
}

// openPool makes the pool of processes and the directory of the machine that they run in: emptied at each start, because all of it can be made again, and outside
// of the data directory, because functions may run as somebody who may not look in there.
func (n *Node) openPool(o *functions.Options) (*sandbox.Pool, error) {
	s := sandbox.Options{Launcher: n.config.Launcher, Logger: n.logger, Log: n.functionOutput}
	n.functionsBound = console.FunctionsStatus{Bound: console.RemoteOnly}
	if dir, err := functionsDir(n.config.DataDir); err != nil {
		n.functionsBound.Why = err.Error()
		n.logger.Warn("functions cannot run here, remote ones excepted", "err", err)
		s.Launcher = nil
		o.Cache = os.TempDir() // where nothing will be unpacked
	} else {
		n.functionsDir = dir
		n.closers = append(n.closers, func() error { return os.RemoveAll(dir) })
		o.Cache, s.BootstrapDir, s.ScratchDir = filepath.Join(dir, "code"), filepath.Join(dir, "bootstrap"), filepath.Join(dir, "tmp")
		var err error
		for _, made := range []string{o.Cache, s.ScratchDir} {
			if err = os.Mkdir(made, 0o755); err == nil {
				err = os.Chmod(made, 0o755) // whatever the umask is
			}
			if err != nil {
				break
			}
		}
		if err == nil {
			err = sandbox.WriteBootstraps(s.BootstrapDir)
		}
		if err != nil {
			return nil, fault.As(fault.Unavailable, err, "directory of functions")
		}
	}
	if os.Geteuid() == 0 { // functions get a user who owns nothing
		if nobody, err := user.Lookup("nobody"); err == nil {
			s.UID, _ = strconv.Atoi(nobody.Uid)
			s.GID, _ = strconv.Atoi(nobody.Gid)
		}
	}
	if len(s.Launcher) > 0 {
		s.Groups = n.openGroups(s.Launcher)
	}
	pool, err := sandbox.NewPool(s)
	if err != nil {
		return nil, err
	}
	n.closers = append(n.closers, pool.Close)
	return pool, nil
}

// openGroups makes the control groups of functions, and says whether there are any: nil is none.
func (n *Node) openGroups(launcher []string) sandbox.Groups {
	groups, err := sandbox.OpenGroups(filepath.Base(n.functionsDir), launcher, clock.Real)
	if err != nil {
		n.functionsBound = console.FunctionsStatus{Bound: console.BoundByLooking, Why: err.Error()}
		n.logger.Info("functions run without control groups: their memory is looked at ten times a second", "why", err)
		return nil
	}
	n.functionsBound = console.FunctionsStatus{Bound: console.BoundByGroups}
	n.logger.Info("functions run in control groups")
	n.closers = append(n.closers, groups.Close)
	return groups
}

// functionsDir makes an empty directory that belongs to a data directory, in the machine's temporary one.
func functionsDir(dataDir string) (string, error) {
	absolute, err := filepath.Abs(dataDir)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(absolute))
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("weir-functions-%d-%x", os.Geteuid(), sum[:6]))
	if err := os.RemoveAll(dir); err != nil { // left by a kill
		return "", err
	}
	if err := os.Mkdir(dir, 0o755); err != nil { // and not MkdirAll: what somebody else put there is not ours
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// functionOutput is told each line that functions write.
func (n *Node) functionOutput(l sandbox.Line) {
	n.logger.Info("function", "function", l.Function, "version", l.Version, "account", l.Account, "stream", l.Stream, "line", l.Text)
}

// functionsUser is whose keys functions have in weir serve, in each account: policies can be attached to it like to any user.
const functionsUser = "weir-functions"

// functionKeys gives functions what they need to call this server.
type functionKeys struct {
	node *Node
	keys *auth.Store

	mu   sync.Mutex          // guards made
	made map[string][]string // keys by account, made in this run: secrets are kept nowhere else
}

// Credentials is functions.Credentials. In weir dev a key is the account; in weir serve it is made at the first use in a run.
func (k *functionKeys) Credentials(account string) ([]string, error) {
	env, err := k.node.endpointEnv()
	if err != nil {
		return nil, err
	}
	if k.node.config.Dev {
		return append(env, "AWS_ACCESS_KEY_ID="+account, "AWS_SECRET_ACCESS_KEY=any"), nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.made[account] == nil {
		key, err := k.keys.Make(auth.Spec{Account: account, Name: functionsUser, User: functionsUser})
		if err != nil {
			return nil, err
		}
		k.made[account] = []string{"AWS_ACCESS_KEY_ID=" + key.ID, "AWS_SECRET_ACCESS_KEY=" + key.Secret}
	}
	return append(env, k.made[account]...), nil
}

// forgetFunctionKeys takes away the keys of earlier runs, whose secrets nobody has any more.
func forgetFunctionKeys(keys *auth.Store) error {
	all, err := keys.List()
	if err != nil {
		return err
	}
	for _, key := range all {
		if key.User == functionsUser && key.Name == functionsUser {
			if err := keys.Delete(key.ID); err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
		}
	}
	return nil
}

// endpointEnv says to an SDK on this machine where the server is, and whom to trust.
func (n *Node) endpointEnv() ([]string, error) {
	if addr := n.Addr(); addr != "" {
		local, err := loopback(addr)
		return []string{"AWS_ENDPOINT_URL=http://" + local}, err
	}
	local, err := loopback(n.TLSAddr())
	if err != nil {
		return nil, err
	}
	ca, err := n.functionsCA()
	return []string{"AWS_ENDPOINT_URL=https://" + local, "AWS_CA_BUNDLE=" + ca, "NODE_EXTRA_CA_CERTS=" + ca}, err
}

// functionsCA is a copy of the server's certificate where functions may read it, who may not look into the data directory.
func (n *Node) functionsCA() (string, error) {
	if n.functionsDir == "" {
		return "", fault.New(fault.Unavailable, "functions cannot run here, remote ones excepted")
	}
	ca := filepath.Join(n.functionsDir, "ca.pem")
	if _, err := os.Stat(ca); err == nil {
		return ca, nil
	}
	text, err := os.ReadFile(filepath.Join(n.config.DataDir, datadir.TLS, "ca.pem"))
	if err == nil {
		err = os.WriteFile(ca, text, 0o644)
	}
	if err == nil {
		err = os.Chmod(ca, 0o644)
	}
	return ca, fault.As(fault.Unavailable, err, "certificate for functions")
}

// loopback is how a program on this machine reaches an address that the server listens on.
func loopback(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fault.As(fault.Internal, err, "address %q", addr)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// codeObjects is functions.Objects: the objects of this server.
type codeObjects struct{ node *Node }

// Object reads an object whole, of a bucket of the account. There are no versions.
func (c codeObjects) Object(_ context.Context, account, bucket, key, version string) ([]byte, error) {
	if version != "" && version != "null" {
		return nil, fault.New(fault.Unsupported, "S3ObjectVersion is not supported by this version of Weir: objects have no versions.")
	}
	if b := c.node.objects.State().Bucket(bucket); b == nil || b.Account != account {
		return nil, fault.New(fault.Invalid, "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not exist")
	}
	r, err := c.node.objects.Open(bucket, key)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	if r.Object.Size > sandbox.UnpackedBytesMax {
		return nil, fault.New(fault.Invalid, "Unzipped size must be smaller than %d bytes", sandbox.UnpackedBytesMax)
	}
	zip := make([]byte, r.Object.Size)
	_, err = io.ReadFull(r, zip)
	return zip, fault.Wrap(err, "read the code of a function")
}
