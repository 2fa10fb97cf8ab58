package step

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"lian/chat"
)

// Prompt is what is to be continued: a text, ids, or a conversation to be answered.
type Prompt struct {
	Text     string
	IDs      []int32
	Messages []chat.Message
	ID       json.RawMessage // what its owner calls it
	Place    string          // for errors
}

// TextPrompts are prompts that are texts.
func TextPrompts(texts ...string) []Prompt {
	var list []Prompt
	for i, text := range texts {
		list = append(list, Prompt{Text: text, Place: fmt.Sprintf("prompt %d", i+1)})
	}
	return list
}

// ReadPrompts reads JSON lines: {"prompt": …}, {"ids": […]} or {"messages": […]}, each with an "id" if its owner likes. Other
// members are left alone.
func ReadPrompts(name string, r io.Reader) ([]Prompt, error) {
	var list []Prompt
	lines := bufio.NewReaderSize(r, 1<<16)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s:%d: %w", name, number, err)
		}
		if len(bytes.TrimSpace(line)) > 0 {
			p, bad := readPrompt(line)
			if bad != nil {
				return nil, fmt.Errorf("%s:%d: %w", name, number, bad)
			}
			p.Place = fmt.Sprintf("%s:%d", name, number)
			list = append(list, p)
		}
		if err != nil {
			break
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s: there is no prompt in it", name)
	}
	return list, nil
}

func readPrompt(line []byte) (p Prompt, err error) {
	var given struct {
		ID       json.RawMessage `json:"id"`
		Prompt   *string         `json:"prompt"`
		IDs      []int32         `json:"ids"`
		Messages json.RawMessage `json:"messages"`
	}
	if err := json.Unmarshal(line, &given); err != nil {
		return p, fmt.Errorf(`expected a JSON object with "prompt", "ids" or "messages": %w`, err)
	}
	count := 0
	for _, is := range []bool{given.Prompt != nil, given.IDs != nil, given.Messages != nil} {
		if is {
			count++
		}
	}
	switch {
	case count != 1:
		return p, fmt.Errorf(`expected one of "prompt", "ids" and "messages", found %d of them`, count)
	case given.Prompt != nil:
		p.Text = *given.Prompt
	case given.IDs != nil:
		p.IDs = given.IDs
	default:
		if p.Messages, err = chat.ParseMessages(given.Messages); err == nil && len(p.Messages) == 0 {
			err = errors.New("messages: the list is empty")
		}
	}
	p.ID = given.ID
	return p, err
}
