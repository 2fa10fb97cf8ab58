package nn

import (
	"fmt"

	"lian/compute"
)

// Check says what does not fit together.
func (s Spec) Check() error {
	switch {
	case s.Vocab <= 0 || s.Hidden <= 0 || s.Layers <= 0 || s.Context <= 0:
		return fmt.Errorf("vocabulary %d, hidden size %d, layers %d and context %d must be positive", s.Vocab, s.Hidden, s.Layers, s.Context)
	case s.Each != nil && len(s.Each) != s.Layers:
		return fmt.Errorf("%d layers are described, expected %d", len(s.Each), s.Layers)
	case s.Norm.Epsilon < 0 || s.Norm.Epsilon > 1:
		return fmt.Errorf("norm epsilon is %v, expected 0 to 1", s.Norm.Epsilon)
	case s.Positions < 0 || s.PositionOffset < 0 || s.PositionOffset > s.Positions:
		return fmt.Errorf("%d learned positions from row %d on", s.Positions, s.PositionOffset)
	}
	blocks := s.Each
	if blocks == nil {
		blocks = []Block{s.Block}
	}
	for l, b := range blocks {
		if err := b.check(); err != nil {
			return fmt.Errorf("layer %d: %w", l, err)
		}
	}
	return nil
}

func (b Block) check() error {
	a, f := b.Attention, b.FeedForward
	switch {
	case f.Hidden <= 0:
		return fmt.Errorf("feed-forward size %d must be positive", f.Hidden)
	case a.Heads <= 0 || a.KVHeads <= 0 || a.Heads%a.KVHeads != 0:
		return fmt.Errorf("%d heads must be a multiple of %d kv heads", a.Heads, a.KVHeads)
	case a.HeadSize <= 0 || a.ValueSize < 0 || a.RoPE.Rotary%2 != 0 || a.RoPE.Rotary > a.HeadSize || a.RoPE.Rotary < 0:
		return fmt.Errorf("rotary size %d must be even and at most the head size %d", a.RoPE.Rotary, a.HeadSize)
	case a.RoPE.Rotary > 0 && a.RoPE.Theta <= 0:
		return fmt.Errorf("rotary theta is %v, expected > 0", a.RoPE.Theta)
	case a.Window < 0 || a.Clip < 0 || a.Softcap < 0:
		return fmt.Errorf("window %d, clip %v and softcap %v must not be negative", a.Window, a.Clip, a.Softcap)
	case f.Activation < 0 || f.Activation >= compute.ActivationKinds:
		return fmt.Errorf("activation %d is not known", f.Activation)
	case b.SharedNorm && !b.Parallel || b.Parallel && (b.NormAfter || b.NoPreNorm):
		return fmt.Errorf("a shared norm is for parallel branches, which are normed before")
	}
	if a.RoPE.Rotary > 0 {
		if _, _, err := a.RoPE.rule().Frequencies(0); err != nil {
			return err
		}
	}
	return nil
}
