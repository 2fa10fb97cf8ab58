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
	case a.LongScale.Beta != 0 && a.LongScale.Every <= 0:
		return fmt.Errorf("queries are to grow every %d positions, expected > 0", a.LongScale.Every)
	case a.Window < 0 || a.Clip < 0 || a.Softcap < 0:
		return fmt.Errorf("window %d, clip %v and softcap %v must not be negative", a.Window, a.Clip, a.Softcap)
	case (f.Limit != 0 || f.Offset != 0) && (f.Plain || f.Function() != compute.SiLU && f.Function() != compute.QuickGELU):
		return fmt.Errorf("limit %v and offset %v are for gates with silu or quick_gelu", f.Limit, f.Offset)
	case f.Activation >= compute.ActivationKinds:
		return fmt.Errorf("activation %d is not known", f.Activation)
	case b.SharedNorm && !b.Parallel || b.Parallel && (b.NormAfter || b.NoPreNorm):
		return fmt.Errorf("a shared norm is for parallel branches, which are normed before")
	}
	if err := b.Attention.Latent.check(&a); err != nil {
		return err
	}
	if err := f.Experts.check(&f); err != nil {
		return err
	}
	if a.RoPE.Rotary > 0 {
		if _, _, err := a.RoPE.rule().Frequencies(0); err != nil {
			return err
		}
	}
	return nil
}

func (n Latent) check(a *Attention) error {
	switch {
	case n.Rank == 0 && n.QueryRank == 0:
		return nil
	case n.Rank <= 0 || n.QueryRank < 0 || n.Norm.Epsilon < 0:
		return fmt.Errorf("latent ranks are %d and %d for queries, expected positive", n.Rank, n.QueryRank)
	case a.RoPE.Rotary <= 0 || a.RoPE.Rotary >= a.HeadSize:
		return fmt.Errorf("latent attention turns %d of %d elements, expected some, not all", a.RoPE.Rotary, a.HeadSize)
	case a.HeadNorm != NoHeadNorm || a.Clip != 0 || a.Sinks || a.InnerNorm || a.ALiBi.Rule != NoALiBi:
		return fmt.Errorf("latent attention has no head norm, clip, sinks, inner norm or linear biases")
	}
	return nil
}

func (e Experts) check(f *FeedForward) error {
	if e.Count == 0 && e.Chosen == 0 {
		return nil
	}
	r, candidates := e.Route, e.Count
	if r.Groups > 1 {
		if e.Count%r.Groups != 0 || r.TopGroups < 1 || r.TopGroups > r.Groups || r.GroupBest > e.Count/r.Groups {
			return fmt.Errorf("%d experts in %d groups, of which %d are chosen by their best %d", e.Count, r.Groups, r.TopGroups, r.GroupBest)
		}
		candidates = e.Count / r.Groups * r.TopGroups
	}
	switch {
	case e.Chosen < 1 || e.Chosen > candidates:
		return fmt.Errorf("%d of %d experts are chosen", e.Chosen, candidates)
	case e.Shared < 0 || e.SharedGate && e.Shared == 0:
		return fmt.Errorf("the shared expert has size %d", e.Shared)
	case f.InnerNorm:
		return fmt.Errorf("experts have no inner norm")
	}
	return nil
}
