package chain

import "time"

// State is where a step stands.
type State string

// States of a step.
const (
	Waiting State = "waiting" // its turn has not come
	Running State = "running"
	Cached  State = "cached" // done by an earlier run
	Done    State = "done"   // by this run
	Failed  State = "failed" // or interrupted
)

// StepStatus is one step as the report and the command line see it.
type StepStatus struct {
	Name       string    `json:"name"`
	Uses       string    `json:"uses"`
	About      string    `json:"about,omitempty"` // the kind's, in English
	State      State     `json:"state"`
	Reason     string    `json:"reason,omitempty"` // why it runs, or why it is cached
	Dir        string    `json:"dir"`
	Hash       string    `json:"hash,omitempty"`
	Started    time.Time `json:"started,omitzero"`
	Wall       float64   `json:"wall_seconds,omitempty"`
	CPU        float64   `json:"cpu_seconds,omitempty"`
	PeakMemory int64     `json:"peak_memory_bytes,omitempty"`
	Attempts   int       `json:"attempts,omitempty"`
	Bytes      int64     `json:"bytes,omitempty"` // of outputs
}

// Status is a whole run at one moment.
type Status struct {
	Recipe   string            `json:"recipe"`
	About    string            `json:"about,omitempty"`
	Name     string            `json:"name"`
	Dir      string            `json:"dir"`
	Dials    map[string]string `json:"dials,omitempty"`
	Command  string            `json:"command"` // which goes on when it was interrupted
	Started  time.Time         `json:"started"` // this command
	Steps    []StepStatus      `json:"steps"`
	Finished bool              `json:"finished"`
	Error    string            `json:"error,omitempty"`
}

// Note is something that a step wants people to know at once.
type Note struct {
	Text string `json:"text"`
}

// Kinds of events that the engine emits. Their payload is a StepStatus, if nothing
// else is said.
const (
	KindStep     = "chain.step"     // a step changed its state
	KindNote     = "chain.note"     // the payload is a Note
	KindFinished = "chain.finished" // the run ended; the payload is a Status; only for showing
)
