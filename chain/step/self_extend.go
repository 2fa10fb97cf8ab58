package step

import (
	"fmt"

	"lian/model/nn"
)

// SelfExtension is the setting of those who read more than a model was made for.
type SelfExtension struct {
	SelfExtend []int `yaml:"self_extend" help:"GROUP,WINDOW: read texts longer than the model was made for, the last WINDOW tokens where they are and those before in groups of GROUP, such as 8,512"`
}

// apply turns it on for a model just opened.
func (s SelfExtension) apply(m *Opened) error {
	switch len(s.SelfExtend) {
	case 0:
		return nil
	case 2:
		if err := m.Model.ExtendContext(nn.SelfExtend{Group: s.SelfExtend[0], Window: s.SelfExtend[1]}); err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
		return nil
	}
	return fmt.Errorf("--self-extend: expected two numbers such as 8,512, found %d", len(s.SelfExtend))
}
