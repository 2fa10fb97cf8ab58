package step

import (
	"fmt"
	"os"
	"strings"

	"lian/compute"
	"lian/model/adapter"
	"lian/model/checkpoint"
)

// convertAdapter writes an adapter alone: for llama.cpp if out ends in .gguf, else for PEFT. What was written is read again and
// compared, number by number.
func convertAdapter(in, out string, b compute.Backend) (c *Converted, err error) {
	base, dir, ok, err := cutAdapter(in)
	if err == nil && !ok {
		if dir = base; !isAdapter(dir) {
			return nil, fmt.Errorf("%s: expected an adapter's folder or BASE+ADAPTER, which --adapter converts", in)
		}
		base, err = baseOf(dir)
	}
	if err != nil {
		return nil, err
	}
	m, err := OpenWeights(base, b, checkpoint.Options{})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	l, err := adapter.Load(dir, b, m.Model, m.Bindings)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(out)
		}
	}()
	c = &Converted{Path: out, Format: "peft", Type: "f32"}
	s := b.NewStream()
	if strings.HasSuffix(out, ".gguf") {
		g := m.Family.GGUF()
		if g == nil {
			return nil, fmt.Errorf("%s: llama.cpp does not know %s models", out, m.Family.Name())
		}
		c.Format = "gguf"
		err = l.SaveGGUF(out, s, g.Architecture, m.Name, m.Bindings)
	} else {
		err = l.Save(out, s, m.Bindings, m.Path)
	}
	if err != nil {
		return nil, err
	}
	again, err := adapter.Load(out, b, m.Model, m.Bindings)
	if err != nil {
		return nil, fmt.Errorf("%s was written and cannot be read again: %w", out, err)
	}
	if c.Tensors, err = adapter.Compare(s, l, again); err != nil {
		return nil, fmt.Errorf("what was written differs from %s, so it was not kept: %w", dir, err)
	}
	c.Exact = c.Tensors
	c.Bytes, err = folderBytes(out)
	return c, err
}
