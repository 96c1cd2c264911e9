// Package comments has names with and without comments, for TestBareNames.
package comments

// Explained has one.
func Explained() {}

func BareFunc() {}

type hidden struct{}

func (hidden) Method() {}

// Shown has one.
type Shown[T any] struct{}

func (s *Shown[T]) BareMethod() {}

type BareType int

type (
	// InGroup has one.
	InGroup int

	BareInGroup int
)

const BareConst = 1

// The group's comment speaks for all.
const (
	Spoken = iota
	SpokenToo
)

var (
	AtTheEnd = 1 // has one
	BareVar  = 2
)
