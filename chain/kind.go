package chain

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"lian/config"
)

// Kind is what a step can be: a typed configuration and a function.
type Kind struct {
	Name  string // as in a recipe's "uses"
	About string // one line in English

	// Version enters the hash of every step of this kind. It changes whenever the
	// same configuration and inputs would give other bytes.
	Version string

	// New returns a pointer to a fresh configuration; its tags are package config's.
	New func() any

	// Outside lists files and folders outside the run that the step reads, so that
	// their content enters the hash. It may be nil. Paths within the run are
	// ignored: the steps that wrote them are in the hash already.
	Outside func(config any) ([]string, error)

	// Resumes says that Run goes on from what an interrupted Run of the same hash
	// left in the folder, and ends with the same bytes. Otherwise the folder is
	// emptied first.
	Resumes bool

	// Volatile are patterns (path.Match, against the path within the folder) of
	// outputs that hold clock times or speeds. They are checked like all others but
	// have no part in the result hash, so a rerun with equal substance does not
	// rerun what follows.
	Volatile []string

	// Run does the work and writes into c.Dir.
	Run func(ctx context.Context, c *Context) error
}

// NewKind makes a Kind of a function over its configuration type.
func NewKind[C any](name, version, about string, run func(ctx context.Context, c *Context, config *C) error) Kind {
	return Kind{
		Name: name, Version: version, About: about,
		New: func() any { return new(C) },
		Run: func(ctx context.Context, c *Context) error {
			settings, ok := c.Config.(*C)
			if !ok {
				return fmt.Errorf("step %s: configuration is %T, expected %T", c.Step, c.Config, new(C))
			}
			return run(ctx, c, settings)
		},
	}
}

// Kinds is the set of kinds that a recipe can use, by name.
type Kinds map[string]Kind

// KindSet collects kinds. It panics when two have one name, which is a mistake of
// the program, not of a user.
func KindSet(kinds ...Kind) Kinds {
	set := Kinds{}
	for _, k := range kinds {
		if _, twice := set[k.Name]; twice {
			panic("chain: two kinds named " + k.Name)
		}
		set[k.Name] = k
	}
	return set
}

// Names are the kinds' names, sorted.
func (k Kinds) Names() []string {
	names := make([]string, 0, len(k))
	for name := range k {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// hint completes "no such X": the nearest name, or all there are.
func hint(name string, known []string) string {
	if near := config.Nearest(name, known); near != "" {
		return "did you mean " + near + "?"
	}
	if len(known) == 0 {
		return "there are none"
	}
	return "there are " + strings.Join(known, ", ")
}
