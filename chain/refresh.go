package chain

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// set changes the status of a step and tells everyone.
func (e *engine) set(name string, change func(*StepStatus)) {
	e.mu.Lock()
	var changed StepStatus
	for i := range e.status.Steps {
		if e.status.Steps[i].Name == name {
			change(&e.status.Steps[i])
			changed = e.status.Steps[i]
		}
	}
	e.mu.Unlock()
	if e.home != nil {
		e.home.Step(name).Emit(KindStep, changed)
	}
	e.o.Sink.Emit(KindStep, changed)
	if changed.State != Cached { // a run in which all is cached writes its report once
		e.refresh()
	}
}

func (e *engine) snapshot() Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.status
	s.Steps = slices.Clone(s.Steps)
	s.Dials = maps.Clone(s.Dials)
	return s
}

func (e *engine) refresh() {
	if e.o.Refresh == nil || e.o.DryRun {
		return
	}
	e.refreshing.Lock()
	defer e.refreshing.Unlock()
	e.refreshErr = nil // only the last attempt counts
	if err := e.o.Refresh(e.snapshot()); err != nil {
		e.refreshErr = fmt.Errorf("report card: %w", err)
	}
}

// keepFresh refreshes until the function that it returns is called.
func (e *engine) keepFresh() (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(e.o.Every)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				e.refresh()
			}
		}
	}()
	return func() { close(done); <-ended }
}
