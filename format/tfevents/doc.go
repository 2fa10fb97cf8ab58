// Package tfevents reads and writes TensorBoard's event files: a sequence of TFRecords, each a protocol buffer Event.
//
// It guarantees that every record carries the checksums that TensorBoard checks, that a reader never believes a length that the file does
// not have, and that a file cut off by a crash gives what came before the cut. It knows scalars, texts and session marks, and
// passes over other values. Sources: tensorflow/core/lib/io/record_writer.h (framing), tensorflow/core/util/event.proto and
// tensorflow/core/framework/summary.proto (field numbers).
package tfevents

import "time"

// Event is one line of a file: scalars and texts of one step.
type Event struct {
	Time    time.Time
	Step    int64
	Version string // of the first event of a file: "brain.Event:2"
	Start   bool   // a session begins: TensorBoard forgets what earlier files say of this step and those after it
	Scalars []Scalar
	Texts   []Text
}

// Scalar is one number of a step; TensorBoard keeps float32.
type Scalar struct {
	Tag   string
	Value float32
}

// Text is one text of a step, shown as Markdown.
type Text struct {
	Tag   string
	Value string
}
