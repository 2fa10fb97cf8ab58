package step

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lian/format/container"
	"lian/format/gguf"
	"lian/format/shard"
	"lian/store"
)

// AdapterFacts are what adapter_config.json says.
type AdapterFacts struct {
	Type       string   `json:"type"`
	Base       string   `json:"base"`
	Rank       int      `json:"rank"`
	Alpha      float64  `json:"alpha"`
	Targets    []string `json:"targets"`
	Parameters int64    `json:"parameters"`
}

// ShardFacts are a token shard's sizes.
type ShardFacts struct {
	Documents     int    `json:"documents"`
	Tokens        int64  `json:"tokens"`
	TextBytes     int64  `json:"text_bytes"`
	Vocab         int    `json:"vocab"`
	TokenizerHash string `json:"tokenizer_hash"`
	Split         string `json:"split,omitempty"`
}

// LineFacts describe JSON lines by their first record.
type LineFacts struct {
	Records int      `json:"records"`
	Members []string `json:"members"` // of the first
	Looks   string   `json:"looks"`   // documents, conversations, or empty
}

// adapter is a folder in PEFT's layout.
func (i *inspector) adapter(path string) error {
	i.What, i.Format = WhatAdapter, "PEFT"
	file := filepath.Join(path, "adapter_config.json")
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var c struct {
		Type    string  `json:"peft_type"`
		Base    string  `json:"base_model_name_or_path"`
		Rank    int     `json:"r"`
		Alpha   float64 `json:"lora_alpha"`
		Targets any     `json:"target_modules"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	a := &AdapterFacts{Type: c.Type, Base: c.Base, Rank: c.Rank, Alpha: c.Alpha}
	switch targets := c.Targets.(type) {
	case []any:
		for _, t := range targets {
			a.Targets = append(a.Targets, fmt.Sprint(t))
		}
	case string:
		a.Targets = []string{targets}
	}
	slices.Sort(a.Targets)
	weights := ""
	for _, name := range []string{"adapter_model.safetensors", "adapter_model.bin"} {
		if _, err := os.Stat(filepath.Join(path, name)); err == nil && weights == "" {
			weights = filepath.Join(path, name)
		}
	}
	if weights == "" {
		i.Adapter = a
		i.problem("there are no weights here: adapter_model.safetensors is missing")
		return nil
	}
	f, kind, err := container.Weights(weights)
	if err != nil {
		return err
	}
	defer f.Close()
	i.Format += ", " + formatName(kind)
	i.Model = &ModelFacts{}
	if err := i.tensors(f); err != nil {
		return err
	}
	a.Parameters, i.Model, i.Adapter = i.Model.Parameters, nil, a
	if c.Type != "LORA" {
		i.problem("Lian does not run this adapter: peft_type is %q, expected LORA", c.Type)
	}
	return nil
}

// ggufAdapter is a LoRA in a GGUF file: pairs NAME.lora_a and NAME.lora_b.
func (i *inspector) ggufAdapter(f *gguf.File) error {
	i.What, i.Format = WhatAdapter, i.Format+", adapter"
	kind, _ := f.String("adapter.type")
	alpha, _ := f.Float("adapter.lora.alpha")
	a := &AdapterFacts{Type: strings.ToUpper(kind), Alpha: alpha}
	for _, key := range []string{"general.base_model.0.repo_url", "general.base_model.0.name", "general.basename"} {
		if base, ok := f.String(key); ok && a.Base == "" {
			a.Base = base
		}
	}
	targets := map[string]bool{}
	for _, name := range f.Names() {
		weight, ok := strings.CutSuffix(name, ".lora_a")
		if !ok {
			continue
		}
		if info, ok := f.Info(name); ok && len(info.Shape) == 2 {
			a.Rank = max(a.Rank, info.Shape[0])
		}
		part := strings.Split(strings.TrimSuffix(weight, ".weight"), ".")
		targets[part[len(part)-1]] = true
	}
	a.Targets = slices.Sorted(maps.Keys(targets))
	i.Model = &ModelFacts{}
	err := i.tensors(f)
	a.Parameters, i.Model, i.Adapter = i.Model.Parameters, nil, a
	if kind != "lora" {
		i.problem("Lian does not run this adapter: adapter.type is %q, expected lora", kind)
	}
	return err
}

// shard is a file of token ids.
func (i *inspector) shard(path string) error {
	i.What, i.Format = WhatShard, "Lian token shard"
	r, err := shard.Open(path)
	if err != nil {
		return err
	}
	defer r.Close()
	m := r.Meta()
	i.Shard = &ShardFacts{Documents: r.Documents(), Tokens: r.Tokens(), TextBytes: r.TextBytes(), Vocab: m.VocabSize, TokenizerHash: m.TokenizerHash, Split: m.Split}
	if i.o.Verify {
		if err := r.Verify(); err != nil {
			i.problem("%v", err)
			return fmt.Errorf("%s: %w: %w", path, ErrUnsound, err)
		}
	}
	return nil
}

// run is a folder of ours.
func (i *inspector) run(path string) error {
	e, err := store.ReadEntry(path)
	if err != nil {
		return err
	}
	i.What, i.Format, i.Run, i.Holds = WhatRun, "Lian run", &e, inside(path)
	return nil
}

// lines is a file of JSON lines.
func (i *inspector) lines(path string) error {
	i.What, i.Format = WhatLines, "JSON lines"
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	facts := &LineFacts{}
	for number := 1; ; number++ {
		line, err := r.ReadString('\n')
		if strings.TrimSpace(line) != "" {
			if facts.Records++; facts.Records == 1 {
				if bad := facts.first(line); bad != nil {
					return fmt.Errorf("%s:%d: %w", path, number, bad)
				}
			}
		}
		if errors.Is(err, io.EOF) {
			i.Lines = facts
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, number, err)
		}
	}
}

func (l *LineFacts) first(line string) error {
	var record map[string]json.RawMessage
	if err := json.Unmarshal([]byte(line), &record); err != nil {
		return fmt.Errorf("expected a JSON object: %w", err)
	}
	for name := range record {
		l.Members = append(l.Members, name)
	}
	slices.Sort(l.Members)
	switch {
	case record["messages"] != nil:
		l.Looks = "conversations"
	case record["text"] != nil:
		l.Looks = "documents"
	}
	return nil
}
