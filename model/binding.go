package model

// Binding says how a file's tensor is a model's parameter. Loading, saving, converting, adapters and merging go through it.
type Binding struct {
	Parameter string // logical name
	Hub       string // name in the authors' safetensors
	GGUF      string // name in GGUF
	// Pairs > 0: GGUF stores each head's rows in the order of interleaved rotary pairs; Pairs is the number of heads.
	Pairs int
	// Adaptable parameters are products that LoRA and its relatives may change.
	Adaptable bool
}
