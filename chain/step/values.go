package step

import (
	"encoding/json"

	"lian/chain"
	"lian/store"
)

// setValues makes every field of a report a value of the step, by its JSON name, and
// saves the report in the step's folder as well.
func setValues(c *chain.Context, fields any) error {
	text, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	for key, value := range all {
		if err := c.SetValue(key, value); err != nil {
			return err
		}
	}
	return store.WriteJSON(c.Path(c.Step+".json"), fields)
}
