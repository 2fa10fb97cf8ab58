package data

// Options say what to read and how to clean it. Defaults suit both the Go
// distribution and a folder of anyone's documents.
type Options struct {
	Input         []string `yaml:"input" help:"folders or files to read; none means the Go distribution on this machine"`
	Output        string   `yaml:"output" help:"folder to write documents.jsonl, heldout.jsonl, rejected.jsonl and report.json to"`
	Seed          uint64   `yaml:"seed" help:"seed of the held-out split and of the sample taken when the input is over max_bytes" default:"1"`
	HeldOut       float64  `yaml:"held_out" help:"share of the text that training never sees" default:"0.05" range:"0..0.5"`
	MaxBytes      int64    `yaml:"max_bytes" help:"most bytes of text to keep; what is over is rejected with that reason" default:"67108864" range:"1024.."`
	GoBytes       int64    `yaml:"go_bytes" help:"most bytes of text to keep of the Go distribution" default:"9437184" range:"1024.."`
	MaxFileBytes  int64    `yaml:"max_file_bytes" help:"largest single file to read" default:"268435456" range:"1024.."`
	Similarity    float64  `yaml:"similarity" help:"Jaccard similarity of word 5-grams from which two documents are near duplicates; 1 turns this off" default:"0.8" range:"0.5..1"`
	Workers       int      `yaml:"workers" help:"parallel workers; 0 is one per core; the output does not depend on it" default:"0" range:"0..1024"`
	MinTrainBytes int64    `yaml:"min_train_bytes" help:"below this much text the report says that the corpus is too small to pretrain on" default:"1000000" range:"0.."`
}

// Progress is told as the stage advances; Total is 0 while it is not known.
type Progress struct {
	Stage string `json:"stage"` // read, clean, duplicates, write
	Done  int    `json:"done"`
	Total int    `json:"total"`
}
