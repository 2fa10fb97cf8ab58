// Package recipes holds the recipes that come with the program, so that it needs no
// files beside it. It guarantees that what is embedded is what lies in the folder.
package recipes

import _ "embed"

// Demo is recipes/demo.yaml: the whole chain on one machine.
//
//go:embed demo.yaml
var Demo []byte
