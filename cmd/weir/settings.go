package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/pelletier/go-toml/v2"

	"github.com/weir-stream/weir/internal/blob"
	"github.com/weir-stream/weir/internal/node"
	"github.com/weir-stream/weir/internal/quota"
)

// settings is the configuration of a server, whichever way it was said: a flag goes before a variable, a variable before
// weir.toml, and that before the default.
type settings struct {
	Listen        string `toml:"listen" json:"listen"`
	TLSListen     string `toml:"tls_listen" json:"tls_listen"`
	ConsoleListen string `toml:"console_listen" json:"console_listen"`
	DataDir       string `toml:"data_dir" json:"data_dir"`
	Durability    string `toml:"durability" json:"durability"`
	MasterKeyFile string `toml:"master_key_file" json:"master_key_file"` // empty is the one in DataDir
	Audit         string `toml:"audit" json:"audit"`                     // "on" or "off"
	LogLevel      string `toml:"log_level" json:"log_level"`
	Limits        string `toml:"limits" json:"limits"`

	ConnectionsMax int `toml:"connections_max,omitempty" json:"connections_max,omitempty"` // in the file only; 0 is the default of the node

	DeliveryS3 deliveryS3 `toml:"delivery_s3,omitempty" json:"delivery_s3,omitzero"` // in the file only

	Quotas map[string]int64 `toml:"quotas,omitempty" json:"quotas,omitempty"` // adjustable rows of the quota table, by name; in the file only
}

// deliveryS3 is the S3 that delivery streams deliver to. Without an endpoint it is the server's own. Who asks is said as for every program of AWS: by AWS_ACCESS_KEY_ID, a profile, a role.
type deliveryS3 struct {
	Endpoint     string `toml:"endpoint,omitempty" json:"endpoint,omitempty"`
	Region       string `toml:"region,omitempty" json:"region,omitempty"` // empty is that of the delivery stream
	VirtualHosts bool   `toml:"virtual_hosts,omitempty" json:"virtual_hosts,omitempty"`
}

// off is how an address says that it is not wanted; an empty one would be taken for one that was not said.
const off = "off"

// Default addresses: 4566 is where people expect an AWS endpoint of their own.
func defaultSettings() settings {
	return settings{
		Listen: "127.0.0.1:4566", TLSListen: "127.0.0.1:4567", ConsoleListen: "127.0.0.1:4560",
		DataDir: "/var/lib/weir", Durability: "sync", Audit: "on", LogLevel: "info", Limits: "aws",
	}
}

// devSettings are those of `weir dev`: data beside where it was started, no chatter, and as much traffic as comes.
func devSettings() settings {
	s := defaultSettings()
	s.DataDir, s.Audit, s.LogLevel, s.Limits = ".weir", off, "warn", off
	return s
}

// variables are the environment's settings. WEIR_CONFIG, which names the file, is read by configFile.
var variables = []struct {
	name string
	into func(*settings) *string
}{
	{"WEIR_LISTEN", func(s *settings) *string { return &s.Listen }},
	{"WEIR_TLS_LISTEN", func(s *settings) *string { return &s.TLSListen }},
	{"WEIR_CONSOLE_LISTEN", func(s *settings) *string { return &s.ConsoleListen }},
	{"WEIR_DATA_DIR", func(s *settings) *string { return &s.DataDir }},
	{"WEIR_DURABILITY", func(s *settings) *string { return &s.Durability }},
	{"WEIR_MASTER_KEY_FILE", func(s *settings) *string { return &s.MasterKeyFile }},
	{"WEIR_AUDIT", func(s *settings) *string { return &s.Audit }},
	{"WEIR_LOG_LEVEL", func(s *settings) *string { return &s.LogLevel }},
	{"WEIR_LIMITS", func(s *settings) *string { return &s.Limits }},
}

// environment puts the variables that are set over the settings.
func environment(s settings, getenv func(string) string) settings {
	for _, v := range variables {
		if value := getenv(v.name); value != "" {
			*v.into(&s) = value
		}
	}
	return s
}

// configFile is the file to read: the one that was named, else $WEIR_CONFIG, else weir.toml here if there is one, else none.
func configFile(flag string, getenv func(string) string) string {
	if flag != "" {
		return flag
	}
	if v := getenv("WEIR_CONFIG"); v != "" {
		return v
	}
	if _, err := os.Stat("weir.toml"); err == nil {
		return "weir.toml"
	}
	return ""
}

// readFile puts what a file says over the settings. A key that is not known is an error, and every such key is named. A
// relative data_dir or master_key_file is beside the file.
func readFile(s settings, path string) (settings, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("%s does not exist; weir init writes one", path)
	}
	if err != nil {
		return s, err
	}
	before := s.DataDir
	decoder := toml.NewDecoder(strings.NewReader(string(text))).DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		var unknown *toml.StrictMissingError
		var malformed *toml.DecodeError
		switch {
		case errors.As(err, &unknown):
			var all []error
			for _, one := range unknown.Errors {
				line, _ := one.Position()
				all = append(all, fmt.Errorf("%s line %d: key %q is not known", path, line, strings.Join(one.Key(), ".")))
			}
			return s, errors.Join(all...)
		case errors.As(err, &malformed):
			line, column := malformed.Position()
			if key := malformed.Key(); len(key) > 0 && strings.Contains(malformed.Error(), "cannot decode") {
				what := "text in quotes"
				if key[0] == "quotas" || key[0] == "connections_max" {
					what = "a whole number"
				}
				if key[len(key)-1] == "virtual_hosts" {
					what = "true or false"
				}
				return s, fmt.Errorf("%s line %d column %d: %s must be %s", path, line, column, strings.Join(key, "."), what)
			}
			return s, fmt.Errorf("%s line %d column %d: %s", path, line, column, strings.TrimPrefix(malformed.Error(), "toml: "))
		}
		return s, fmt.Errorf("%s: %w", path, err)
	}
	if s.DataDir != before && !filepath.IsAbs(s.DataDir) {
		s.DataDir = filepath.Join(filepath.Dir(path), s.DataDir)
	}
	if s.MasterKeyFile != "" && !filepath.IsAbs(s.MasterKeyFile) {
		s.MasterKeyFile = filepath.Join(filepath.Dir(path), s.MasterKeyFile)
	}
	return s, nil
}

// validate says all that is wrong at once.
func (s settings) validate() error {
	var wrong []error
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	address := func(key, value string) {
		if _, port, err := net.SplitHostPort(value); err != nil {
			say("%s %q is not host:port", key, value)
		} else if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			say("%s %q: port %q is not a number up to 65535", key, value, port)
		}
	}
	address("listen", s.Listen)
	if s.TLSListen != off {
		address("tls_listen", s.TLSListen)
	}
	if s.ConsoleListen != off {
		address("console_listen", s.ConsoleListen)
	}
	if s.DataDir == "" {
		say("data_dir is empty")
	}
	if err := validDurability(s.Durability); err != nil {
		wrong = append(wrong, err)
	}
	if s.Limits != "aws" && s.Limits != off {
		say("limits %q is neither aws nor off", s.Limits)
	}
	if e := s.DeliveryS3.Endpoint; e != "" {
		if u, err := url.Parse(e); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			say("delivery_s3.endpoint %q is no URL such as https://s3.eu-central-1.amazonaws.com", e)
		}
	} else if s.DeliveryS3 != (deliveryS3{}) {
		say("delivery_s3 has no endpoint")
	}
	if s.ConnectionsMax < 0 {
		say("connections_max %d is negative", s.ConnectionsMax)
	}
	if _, err := quota.New(s.quotas()); err != nil {
		wrong = append(wrong, fmt.Errorf("quotas: %w", err))
	}
	if s.Audit != "on" && s.Audit != off {
		say("audit %q is neither on nor off", s.Audit)
	}
	if err := new(slog.Level).UnmarshalText([]byte(s.LogLevel)); err != nil {
		say("log_level %q is none of debug, info, warn, error", s.LogLevel)
	}
	return errors.Join(wrong...)
}

// quotas are the rows of the quota table that the file replaces.
func (s settings) quotas() map[quota.Name]int64 {
	rows := make(map[quota.Name]int64, len(s.Quotas))
	for name, value := range s.Quotas {
		rows[quota.Name(name)] = value
	}
	return rows
}

func validDurability(value string) error {
	if value == "sync" || value == "os" {
		return nil
	}
	if text, found := strings.CutPrefix(value, "interval="); found {
		if d, err := time.ParseDuration(text); err == nil && d > 0 {
			return nil
		}
	}
	return fmt.Errorf("durability %q is none of sync, interval=50ms, os", value)
}

// awsCredentials are those of the AWS SDK's usual chain, which is asked when they are needed first.
func awsCredentials() aws.CredentialsProvider {
	return aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		loaded, err := awsconfig.LoadDefaultConfig(ctx)
		if err != nil {
			return aws.Credentials{}, err
		}
		return loaded.Credentials.Retrieve(ctx)
	}))
}

// config is what the node is told.
func (s settings) config(t *terminal) node.Config {
	c := node.Config{
		Launcher: launcher(),
		Listen:   s.Listen, DataDir: s.DataDir, Durability: s.Durability, Limits: s.Limits, Quotas: s.quotas(),
		MasterKeyFile: s.MasterKeyFile, Audit: s.Audit == "on", ConnectionsMax: s.ConnectionsMax, Logger: t.logger(s.LogLevel),
	}
	if d := s.DeliveryS3; d.Endpoint != "" {
		c.DeliveryS3 = blob.Options{Endpoint: d.Endpoint, Region: d.Region, VirtualHosts: d.VirtualHosts, Credentials: awsCredentials()}
	}
	if s.TLSListen != off {
		c.TLSListen = s.TLSListen
	}
	if s.ConsoleListen != off {
		c.ConsoleListen = s.ConsoleListen
	}
	return c
}
