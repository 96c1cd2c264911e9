package s3

import (
	"log/slog"
	"net/http"

	"github.com/weir-stream/weir/internal/auth"
	"github.com/weir-stream/weir/internal/edge"
)

// Local is the API for callers in this process, who need no listener: blob's client takes it as its embedded server. It believes everyone: the access key
// is the account that the engine works for.
func (a *API) Local(logger *slog.Logger) (http.Handler, error) {
	return edge.New(edge.Options{Services: []edge.Service{a}, Auth: auth.Any{}, Logger: logger})
}
