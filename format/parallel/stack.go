package parallel

import (
	"errors"
	"fmt"

	"lian/format"
)

// Stack is the tensors of several readers under new names: of pipeline stages, one
// after another. It is safe for concurrent reading.
type Stack struct {
	stages []format.Reader
	names  []string
	from   map[string]source
}

var _ format.Reader = (*Stack)(nil)

// source is where a tensor of a Stack comes from.
type source struct {
	stage format.Reader
	name  string
}

// NewStack opens stages as one model; it owns them from then on, also when it
// fails. rename gives the name that a stage's tensor has in the whole; "" leaves it
// out.
func NewStack(stages []format.Reader, rename func(stage int, name string) (string, error)) (*Stack, error) {
	s := &Stack{stages: stages, from: map[string]source{}}
	for i, stage := range stages {
		for _, name := range stage.Names() {
			whole, err := rename(i, name)
			if err == nil && s.from[whole].stage != nil {
				err = fmt.Errorf("tensor %s of stage %d is %s, which another is as well", name, i, whole)
			}
			if err != nil {
				return nil, errors.Join(err, s.Close())
			}
			if whole != "" {
				s.names = append(s.names, whole)
				s.from[whole] = source{stage, name}
			}
		}
	}
	return s, nil
}

// Names lists the tensors, stage after stage.
func (s *Stack) Names() []string { return s.names }

// Info describes one tensor.
func (s *Stack) Info(name string) (format.Info, bool) {
	at, ok := s.from[name]
	if !ok {
		return format.Info{}, false
	}
	info, ok := at.stage.Info(at.name)
	info.Name = name
	return info, ok
}

// Data returns a tensor's bytes.
func (s *Stack) Data(name string) ([]byte, error) {
	at, ok := s.from[name]
	if !ok {
		return nil, fmt.Errorf("no tensor %s among %d", name, len(s.names))
	}
	return at.stage.Data(at.name)
}

// Close closes every stage.
func (s *Stack) Close() error {
	var errs []error
	for _, stage := range s.stages {
		errs = append(errs, stage.Close())
	}
	return errors.Join(errs...)
}
