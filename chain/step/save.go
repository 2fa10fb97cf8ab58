package step

import (
	"encoding/json"
	"os"
	"path/filepath"

	"lian/chat"
	"lian/compute"
	"lian/dtype"
	"lian/model/checkpoint"
	"lian/model/family"
	"lian/model/nn"
	"lian/store"
	"lian/tokenizer"
)

// Special tokens of models made by Lian. Separator stands between documents; the others mark turns.
const (
	Separator = "<|endoftext|>"
	TurnStart = "<|im_start|>"
	TurnEnd   = "<|im_end|>"
)

// SpecialTokens are those a new tokenizer gets, in the order of their ids.
var SpecialTokens = []string{Separator, TurnStart, TurnEnd}

// saveModel writes a model folder that Lian, transformers and others open: configuration, weights, tokenizer, template.
// config are the fields of the config.json it was opened with, nil for a new one; chatting says that the model was taught to answer, so that its turns end a reply.
func saveModel(dir string, s compute.Stream, f *family.Family, m *nn.Decoder, config map[string]any, tok *tokenizer.Tokenizer, tpl *chat.Template, separator int32, chatting bool) error {
	end := []int32{separator}
	endText := tokenText(tok, separator)
	if turn, ok := tok.Special(TurnEnd); ok && chatting {
		end, endText = []int32{turn, separator}, TurnEnd
	}
	extra := map[string]any{"bos_token_id": separator, "eos_token_id": end[0]}
	if err := checkpoint.SaveFolder(dir, s, f, m, checkpoint.FolderOptions{Type: dtype.F32, Config: config, Extra: extra}); err != nil {
		return err
	}
	if err := tok.Save(filepath.Join(dir, "tokenizer.json")); err != nil {
		return err
	}
	files := map[string]any{
		"generation_config.json": map[string]any{"bos_token_id": separator, "eos_token_id": end, "do_sample": false},
		"tokenizer_config.json": map[string]any{"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": tokenText(tok, separator), "eos_token": endText,
			"model_max_length": m.Spec.Context, "clean_up_tokenization_spaces": false, "add_bos_token": false},
	}
	for name, fields := range files {
		data, err := json.MarshalIndent(fields, "", "  ")
		if err != nil {
			return err
		}
		if err := store.WriteFile(filepath.Join(dir, name), append(data, '\n')); err != nil {
			return err
		}
	}
	if tpl == nil {
		return nil
	}
	return store.WriteFile(filepath.Join(dir, "chat_template.jinja"), []byte(tpl.Source()))
}

func tokenText(tok *tokenizer.Tokenizer, id int32) string {
	return tok.Vocabulary()[id].Text
}

// copyFile copies a file beside a model (suggestions.json), if it is there.
func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return store.WriteFile(to, data)
}
