package family

import (
	"maps"
	"slices"
)

// wrappers are architectures for pictures and text, and the field of their config.json that is the configuration of the language
// model. Of their models Lian runs that part. Source: transformers' and the models' own configuration classes.
var wrappers = map[string]string{
	"AyaVisionForConditionalGeneration":  "text_config",
	"Gemma3ForConditionalGeneration":     "text_config",
	"Idefics3ForConditionalGeneration":   "text_config",
	"InternVLChatModel":                  "llm_config",
	"InternVLForConditionalGeneration":   "text_config",
	"LlavaForConditionalGeneration":      "text_config",
	"LlavaNextForConditionalGeneration":  "text_config",
	"Mistral3ForConditionalGeneration":   "text_config",
	"Qwen2VLForConditionalGeneration":    "text_config",
	"Qwen2_5_VLForConditionalGeneration": "text_config",
	"Qwen3VLForConditionalGeneration":    "text_config",
	"SmolVLMForConditionalGeneration":    "text_config",
}

// Text makes the configuration of a model for pictures and text that of its language model; others stay as they are.
func (c *Config) Text() error {
	for _, architecture := range c.Strings("architectures") {
		name, ok := wrappers[architecture]
		if !ok {
			continue
		}
		inner, stored := maps.Clone(c.fields), maps.Clone(c.stored) // Qwen2-VL once had both in one
		if fields, ok := c.fields[name].(map[string]any); ok {
			inner = maps.Clone(fields)
			stored = maps.Clone(c.stored[name].(map[string]any))
			if c.fields["tie_word_embeddings"] != nil { // the head is the whole model's
				inner["tie_word_embeddings"], stored["tie_word_embeddings"] = c.fields["tie_word_embeddings"], c.stored["tie_word_embeddings"]
			}
			for _, n := range slices.Sorted(maps.Keys(c.fields)) {
				if n != name && n != "tie_word_embeddings" {
					c.around = append(c.around, n)
				}
			}
		}
		modelType, _ := inner["model_type"].(string)
		f, err := ByName(modelType)
		if err != nil {
			return err
		}
		inner["architectures"], stored["architectures"] = []any{f.Architectures[0]}, []any{f.Architectures[0]}
		inner["model_type"], stored["model_type"] = f.Name(), f.Name()
		c.fields, c.stored, c.wrapped, c.inner = inner, stored, true, nil
		return nil
	}
	return nil
}

// Wrapped says whether Text changed the configuration: the files then hold other models beside the language model.
func (c *Config) Wrapped() bool { return c.wrapped }
