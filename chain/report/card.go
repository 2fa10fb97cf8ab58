// Package report makes the report card of a run: one HTML file that needs nothing
// else, and the same as JSON.
//
// The card exists from the first second of a run and fills in as the run goes. Each
// step writes its part as JSON (card.json in its folder); Collect merges the parts
// with the state of the run; Write renders them. Every field is optional: what is
// not there is not shown.
//
// It guarantees that both files are replaced whole or not at all, that the page
// loads nothing from anywhere, that text from outside is escaped, and that English
// and Chinese are both in it. It computes no results: it shows what steps measured,
// with the uncertainty that they give, and refuses to call a difference one that a
// test did not find.
package report

import "time"

// Card is everything that the page shows.
type Card struct {
	Lang        string       `json:"lang,omitempty"` // "en" or "zh": the language shown first
	Run         Run          `json:"run,omitzero"`
	Data        *Data        `json:"data,omitempty"`
	Tokenizer   *Tokenizer   `json:"tokenizer,omitempty"`
	Plan        *Plan        `json:"plan,omitempty"`
	Pretrain    *Pretrain    `json:"pretrain,omitempty"`
	Instruct    *Instruct    `json:"instruct,omitempty"`
	SFT         *Finetune    `json:"sft,omitempty"`
	LoRA        *Finetune    `json:"lora,omitempty"`
	Merge       *Merge       `json:"merge,omitempty"`
	Quantize    *Quantize    `json:"quantize,omitempty"`
	Eval        *Eval        `json:"eval,omitempty"`
	Serve       *Serve       `json:"serve,omitempty"`
	Agent       *Agent       `json:"agent,omitempty"`
	Environment *Environment `json:"environment,omitempty"`
}

// Run is the state of the run as a whole.
type Run struct {
	Name     string            `json:"name"`
	Dir      string            `json:"dir"`
	Command  string            `json:"command"`
	Started  time.Time         `json:"started"`
	Updated  time.Time         `json:"updated"`
	Finished bool              `json:"finished"`
	Error    string            `json:"error,omitempty"`
	Dials    map[string]string `json:"dials,omitempty"`
	Stages   []Stage           `json:"stages"`
	Next     []Command         `json:"next,omitempty"` // what to try now
}

// Command is something to type.
type Command struct {
	Key  string `json:"key"` // of the message that says what it does
	Text string `json:"text"`
}

// Stage is one step of the chain.
type Stage struct {
	Name       string  `json:"name"`
	Kind       string  `json:"kind"`
	State      string  `json:"state"` // waiting, running, cached, done, failed
	Seconds    float64 `json:"seconds"`
	CPU        float64 `json:"cpu_seconds"`
	PeakMemory int64   `json:"peak_memory_bytes"`
	Bytes      int64   `json:"bytes"` // of outputs
	Attempts   int     `json:"attempts"`
	Reason     string  `json:"reason,omitempty"`
}

// Count is a number of documents and their bytes of text.
type Count struct {
	Documents int   `json:"documents"`
	Bytes     int64 `json:"bytes"`
}

// Data is what became of the raw files.
type Data struct {
	Source    string         `json:"source"` // for people: "Go 1.26", "chinese-poetry"
	Files     int            `json:"files"`
	FilesRead int            `json:"files_read"`
	FileBytes int64          `json:"file_bytes"`
	Unread    map[string]int `json:"unread,omitempty"`    // files by reason
	Encodings map[string]int `json:"encodings,omitempty"` // files that were not UTF-8, by encoding
	Stages    []DataStage    `json:"stages"`
	Train     Count          `json:"train"`
	HeldOut   Count          `json:"held_out"`
	Rejected  Count          `json:"rejected"`
	Language  string         `json:"language"`
	Kind      string         `json:"kind"`
	TooSmall  string         `json:"too_small,omitempty"`
	Notes     []string       `json:"notes,omitempty"`
}

// DataStage is one row of the retention table.
type DataStage struct {
	Name    string   `json:"name"`
	In      Count    `json:"in"`
	Out     Count    `json:"out"`
	Reasons []Reason `json:"reasons,omitempty"`
}

// Reason is why documents went.
type Reason struct {
	Name string `json:"name"`
	Count
}

// Tokenizer is the vocabulary and how it cuts.
type Tokenizer struct {
	VocabSize     int      `json:"vocab_size"`
	BytesPerToken float64  `json:"bytes_per_token"` // on held-out text
	TrainTokens   int64    `json:"train_tokens,omitempty"`
	Sample        []string `json:"sample,omitempty"` // a held-out sentence, token by token
}

// Plan is what was decided from the time budget and the measurement.
type Plan struct {
	Minutes         float64 `json:"minutes"`
	PeakGFLOPS      float64 `json:"peak_gflops,omitempty"`
	TokensPerSecond float64 `json:"tokens_per_second,omitempty"` // measured for the chosen size
	Reason          string  `json:"reason,omitempty"`
}

// Point is a place on a curve.
type Point struct {
	Tokens int64   `json:"tokens"`
	Value  float64 `json:"value"`
}

// Pretrain is the training from nothing.
type Pretrain struct {
	Parameters      int64    `json:"parameters"`
	Layers          int      `json:"layers"`
	Hidden          int      `json:"hidden"`
	Heads           int      `json:"heads"`
	KVHeads         int      `json:"kv_heads"`
	FeedForward     int      `json:"feed_forward"`
	Context         int      `json:"context"`
	Steps           int      `json:"steps"`
	StepsTotal      int      `json:"steps_total"`
	Tokens          int64    `json:"tokens"`
	TokensTotal     int64    `json:"tokens_total"`
	TokensPerSecond float64  `json:"tokens_per_second"`
	Seconds         float64  `json:"seconds"`
	Train           []Point  `json:"train,omitempty"`    // bits per byte
	HeldOut         []Point  `json:"held_out,omitempty"` // bits per byte
	TrigramBits     float64  `json:"trigram_bits,omitempty"`
	FivegramBits    float64  `json:"fivegram_bits,omitempty"`
	Prompts         []Prompt `json:"prompts,omitempty"`
}

// Bits is the last held-out figure, 0 when there is none.
func (p *Pretrain) Bits() float64 {
	if p == nil || len(p.HeldOut) == 0 {
		return 0
	}
	return p.HeldOut[len(p.HeldOut)-1].Value
}

// Prompt is a fixed beginning and how the model went on with it over time.
type Prompt struct {
	Text    string   `json:"text"`
	Answers []Answer `json:"answers"`
}

// Answer is one continuation.
type Answer struct {
	Progress float64 `json:"progress"` // 0 to 1
	Text     string  `json:"text"`
}

// Instruct is the instruction pairs.
type Instruct struct {
	Train   int         `json:"train"`
	HeldOut int         `json:"held_out"`
	Tasks   []TaskCount `json:"tasks,omitempty"`
	Example []Turn      `json:"example,omitempty"`
}

// TaskCount is how many pairs teach a task.
type TaskCount struct {
	Task  string `json:"task"`
	Pairs int    `json:"pairs"`
}

// Finetune is one way of fine-tuning.
type Finetune struct {
	Method       string  `json:"method"` // full, lora
	Trainable    int64   `json:"trainable"`
	Examples     int     `json:"examples"`
	Steps        int     `json:"steps"`
	StepsTotal   int     `json:"steps_total"`
	LearningRate float64 `json:"learning_rate"`
	Rank         int     `json:"rank,omitempty"`
	LossBefore   float64 `json:"loss_before"` // held-out, nats per answer token
	LossAfter    float64 `json:"loss_after"`
	Train        []Point `json:"train,omitempty"` // nats per answer token
	Bytes        int64   `json:"bytes"`           // what is saved
	Seconds      float64 `json:"seconds"`
}

// Merge is the check of the merged adapter.
type Merge struct {
	MaxDifference float64 `json:"max_difference"` // between logits of adapter and merged model
	Tolerance     float64 `json:"tolerance"`
	Positions     int     `json:"positions"`
	SameGreedy    int     `json:"same_greedy"` // positions whose most likely token is the same
}

// Quantize is the same model in fewer bits. The first variant is what others are
// compared with.
type Quantize struct {
	Variants []Variant `json:"variants"`
}

// Variant is one file.
type Variant struct {
	Type        string  `json:"type"`
	File        string  `json:"file"`
	Bytes       int64   `json:"bytes"`
	BitsPerByte float64 `json:"bits_per_byte,omitempty"`
	Decode      float64 `json:"decode_tokens_per_second,omitempty"`
	Prefill     float64 `json:"prefill_tokens_per_second,omitempty"`
}

// Eval is what was asked and answered.
type Eval struct {
	Models []string   `json:"models"` // in the order of columns: base, sft, lora, q8_0, …
	Bits   []Score    `json:"bits,omitempty"`
	Tasks  []Task     `json:"tasks,omitempty"`
	Pairs  []Pair     `json:"pairs,omitempty"`
	Cases  []Case     `json:"cases,omitempty"`
	Shapes []Estimate `json:"shapes,omitempty"` // figures of free text: line form, copied share
}

// Task is one kind of question.
type Task struct {
	Name      string  `json:"name"`
	About     string  `json:"about,omitempty"`
	Questions int     `json:"questions"`
	Chance    float64 `json:"chance"`
	Scores    []Score `json:"scores"`
}

// Score is a figure with its 95 % interval.
type Score struct {
	Model string  `json:"model"`
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Pair is a paired comparison of two models on the same questions.
type Pair struct {
	Task        string  `json:"task"`
	A           string  `json:"a"`
	B           string  `json:"b"`
	Difference  float64 `json:"difference"` // B − A
	Low         float64 `json:"low"`
	High        float64 `json:"high"`
	P           float64 `json:"p"`
	Significant bool    `json:"significant"`
}

// Case is one held-out question, before and after fine-tuning.
type Case struct {
	Task     string `json:"task"`
	Prompt   string `json:"prompt"`
	Before   string `json:"before"`
	After    string `json:"after"`
	Expected string `json:"expected,omitempty"`
	Right    bool   `json:"right"`            // After
	BeforeOK bool   `json:"before_right"`     // Before
	Judged   bool   `json:"judged,omitempty"` // there is a right answer to compare with
}

// Estimate is a named share with its sample.
type Estimate struct {
	Name  string  `json:"name"` // message report.shape.NAME
	Value float64 `json:"value"`
	Low   float64 `json:"low,omitempty"`
	High  float64 `json:"high,omitempty"`
	N     int     `json:"n"`
}

// Serve is the load test.
type Serve struct {
	Model    string `json:"model"`
	Loads    []Load `json:"loads"`
	Requests int    `json:"requests"`
	Failed   int    `json:"failed"`
}

// Load is one level of it.
type Load struct {
	Streams         int     `json:"streams"`
	Requests        int     `json:"requests"`
	FirstToken      float64 `json:"first_token_ms"` // median
	FirstToken95    float64 `json:"first_token_ms_p95"`
	TokensPerSecond float64 `json:"tokens_per_second"` // all streams together
	PerStream       float64 `json:"tokens_per_second_per_stream"`
}

// Agent is the loop with tools.
type Agent struct {
	Model        string    `json:"model"`
	Questions    int       `json:"questions"`
	With         Score     `json:"with_tools"`
	Without      Score     `json:"without_tools"`
	Calls        int       `json:"calls"`
	Malformed    int       `json:"malformed"`
	Pair         *Pair     `json:"pair,omitempty"`
	Tools        []string  `json:"tools,omitempty"`
	Transcript   []Turn    `json:"transcript,omitempty"`
	TranscriptOK bool      `json:"transcript_right"`
	ByTool       []ToolUse `json:"by_tool,omitempty"`
}

// ToolUse is how often a tool was called.
type ToolUse struct {
	Tool  string `json:"tool"`
	Calls int    `json:"calls"`
}

// Turn is one message of a conversation.
type Turn struct {
	Role string `json:"role"` // system, user, assistant, call, tool
	Name string `json:"name,omitempty"`
	Text string `json:"text"`
}

// Environment is the machine and what ran on it.
type Environment struct {
	CPU         string  `json:"cpu,omitempty"`
	Cores       int     `json:"cores,omitempty"`
	Memory      int64   `json:"memory_bytes,omitempty"`
	System      string  `json:"system,omitempty"`
	Go          string  `json:"go,omitempty"`
	Lian        string  `json:"lian,omitempty"`
	Kernels     string  `json:"kernels,omitempty"` // level: generic, avx2, avx512
	PeakGFLOPS  float64 `json:"peak_gflops,omitempty"`
	Bandwidth   float64 `json:"bandwidth_gb_per_second,omitempty"`
	Seed        uint64  `json:"seed,omitempty"`
	Description string  `json:"description,omitempty"`
}
