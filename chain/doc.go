// Package chain runs recipes: the whole life of a model as a graph of steps.
//
// A recipe is a YAML file (docs/format/recipe.md). Each step has a kind, a typed
// configuration and a folder of its own; what it needs follows from the references
// in its settings. A step is known by a content hash of its kind, the kind's
// version, its resolved configuration, the results of the steps that it refers to
// and the bytes of the outside files that it reads.
//
// It guarantees that a step whose hash is the same and whose outputs are unharmed
// is not run again, that a change reruns only what follows from it, that a step is
// done only when its mark, written last and atomically, says so, and that a run
// which was killed at any moment is completed by the same command with the same
// bytes. It refuses recipes with unknown kinds, settings or references before
// anything runs, two runs in one folder at a time, and steps that refer to later
// ones.
//
// The engine knows no verb: package chain/step registers the kinds.
package chain
