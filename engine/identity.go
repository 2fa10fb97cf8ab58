package engine

import (
	"crypto/sha256"
	"fmt"
	"runtime/debug"

	"lian/compute"
	"lian/dtype"
	"lian/model"
)

// identity names everything that keys in a cache depend on, but for tokens, adapter and length class: the model, how it is computed, and
// the form of the blocks. Keys of an equal identity are equal bit for bit.
//
// The model is named by its switches and its parameters: their names, types, shapes, and of their bytes 64 in every 4096 and the last. That is one look at
// every page, a few milliseconds for 100 MB, and follows the content wherever the file goes: training, merging and quantising change
// whole matrices. What it cannot see is a file in which fewer bytes than a page were changed by hand.
func identity(b compute.Backend, m model.Model, o Options) (sum [32]byte, err error) {
	h := sha256.New()
	level := ""
	if l, ok := b.(interface{ Level() string }); ok {
		level = l.Level()
	}
	fmt.Fprintf(h, "lian keys\n%s %s %s %s %d\n%s\n", b.Name(), level, o.Precision, o.KV, blockSize, program())
	fmt.Fprintf(h, "%+v\n", m.Info().CacheGroups())
	if d, ok := m.(interface{ Switches() string }); ok {
		fmt.Fprintln(h, d.Switches())
	}
	s := b.NewStream()
	var buffer [64]byte
	for _, p := range m.Parameters().All() {
		fmt.Fprintf(h, "%s %v\n", p.Name, p.Tensor)
		parts := []*compute.Tensor{p.Tensor}
		if p.Tensor.Packed != nil {
			parts = p.Tensor.Packed.Tensors()
		}
		for _, t := range parts {
			size := t.Bytes()
			for at := 0; at < size; at += 4096 {
				if err := look(s, t, at, min(64, size-at), h.Write, buffer[:]); err != nil {
					return sum, err
				}
			}
			if err := look(s, t, max(size-64, 0), min(64, size), h.Write, buffer[:]); err != nil {
				return sum, err
			}
		}
	}
	copy(sum[:], h.Sum(nil))
	return sum, nil
}

// look passes some bytes of a tensor on.
func look(s compute.Stream, t *compute.Tensor, at, n int, to func([]byte) (int, error), buffer []byte) error {
	part := compute.Tensor{Type: dtype.U8, Shape: []int{n}, Buffer: t.Buffer, Offset: t.Offset + at}
	if err := s.Read(&part, buffer[:n]); err != nil {
		return err
	}
	_, err := to(buffer[:n])
	return err
}

// program names this program: another one may order its sums otherwise.
func program() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	name := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" || s.Key == "vcs.modified" || s.Key == "GOAMD64" || s.Key == "GOARCH" {
			name += " " + s.Value
		}
	}
	return name
}
