package cpu

import (
	"context"
	"math"
	"strings"
	"testing"
	"unsafe"

	"lian/compute"
	"lian/compute/computetest"
	"lian/compute/host"
	"lian/dtype"
)

func TestStructsMatchTheAssembly(t *testing.T) {
	var (
		a tile
		p strip
		b quantTile
		r rowsTile
		c adamwFactors
		x amxTile
	)
	for _, f := range []struct {
		name      string
		got, want uintptr
	}{
		{"tile.a", unsafe.Offsetof(a.a), 0}, {"tile.b", unsafe.Offsetof(a.b), 8}, {"tile.c", unsafe.Offsetof(a.c), 16}, {"tile.partial", unsafe.Offsetof(a.partial), 24},
		{"tile.residual", unsafe.Offsetof(a.residual), 32}, {"tile.bias", unsafe.Offsetof(a.bias), 40}, {"tile.k", unsafe.Offsetof(a.k), 48}, {"tile.stride", unsafe.Offsetof(a.stride), 56},
		{"rowsTile.a", unsafe.Offsetof(r.a), 0}, {"rowsTile.b", unsafe.Offsetof(r.b), 8}, {"rowsTile.begin", unsafe.Offsetof(r.begin), 16}, {"rowsTile.end", unsafe.Offsetof(r.end), 24},
		{"rowsTile.stride", unsafe.Offsetof(r.stride), 32}, {"rowsTile.rowBytes", unsafe.Offsetof(r.rowBytes), 40}, {"rowsTile.chunks", unsafe.Offsetof(r.chunks), 48}, {"rowsTile.ahead", unsafe.Offsetof(r.ahead), 56},
		{"tile.rstride", unsafe.Offsetof(a.rstride), 64}, {"tile.alpha", unsafe.Offsetof(a.alpha), 72}, {"tile.flags", unsafe.Offsetof(a.flags), 76}, {"tile.ahead", unsafe.Offsetof(a.ahead), 80},
		{"quantTile.first", unsafe.Offsetof(b.first), 0}, {"quantTile.second", unsafe.Offsetof(b.second), 8}, {"quantTile.records", unsafe.Offsetof(b.records), 16}, {"quantTile.blocks", unsafe.Offsetof(b.blocks), 24},
		{"quantTile.out", unsafe.Offsetof(b.out), 32}, {"quantTile.stride", unsafe.Offsetof(b.stride), 40}, {"quantTile.partial", unsafe.Offsetof(b.partial), 48}, {"quantTile.residual", unsafe.Offsetof(b.residual), 56},
		{"quantTile.rstride", unsafe.Offsetof(b.rstride), 64}, {"quantTile.bias", unsafe.Offsetof(b.bias), 72}, {"quantTile.alpha", unsafe.Offsetof(b.alpha), 80}, {"quantTile.flags", unsafe.Offsetof(b.flags), 84},
		{"quantTile.rowBytes", unsafe.Offsetof(b.rowBytes), 88}, {"quantTile.bytes", unsafe.Offsetof(b.bytes), 96}, {"quantTile.units", unsafe.Offsetof(b.units), 104}, {"quantTile.columns", unsafe.Offsetof(b.columns), 112}, {"quantTile.ahead", unsafe.Offsetof(b.ahead), 120},
		{"quantTile.rate", unsafe.Offsetof(b.rate), 128}, {"quantTile.nextLine", unsafe.Offsetof(b.nextLine), 136},
		{"strip.a", unsafe.Offsetof(p.a), 0}, {"strip.b", unsafe.Offsetof(p.b), 8}, {"strip.c", unsafe.Offsetof(p.c), 16}, {"strip.old", unsafe.Offsetof(p.old), 24}, {"strip.new", unsafe.Offsetof(p.new), 32},
		{"strip.k", unsafe.Offsetof(p.k), 40}, {"strip.aStride", unsafe.Offsetof(p.aStride), 48}, {"strip.bStride", unsafe.Offsetof(p.bStride), 56}, {"strip.cStride", unsafe.Offsetof(p.cStride), 64}, {"strip.flags", unsafe.Offsetof(p.flags), 72}, {"strip.ahead", unsafe.Offsetof(p.ahead), 80},
		{"adamwFactors.gradScale", unsafe.Offsetof(c.gradScale), 0}, {"adamwFactors.beta1", unsafe.Offsetof(c.beta1), 4}, {"adamwFactors.rest1", unsafe.Offsetof(c.rest1), 8},
		{"adamwFactors.beta2", unsafe.Offsetof(c.beta2), 12}, {"adamwFactors.rest2", unsafe.Offsetof(c.rest2), 16}, {"adamwFactors.keep", unsafe.Offsetof(c.keep), 20},
		{"adamwFactors.rate", unsafe.Offsetof(c.rate), 24}, {"adamwFactors.inverse2", unsafe.Offsetof(c.inverse2), 28}, {"adamwFactors.epsilon", unsafe.Offsetof(c.epsilon), 32},
		{"amxTile.streams", unsafe.Offsetof(x.streams), 0}, {"amxTile.stays", unsafe.Offsetof(x.stays), 8}, {"amxTile.begin", unsafe.Offsetof(x.begin), 16}, {"amxTile.end", unsafe.Offsetof(x.end), 24},
		{"amxTile.c", unsafe.Offsetof(x.c), 32}, {"amxTile.residual", unsafe.Offsetof(x.residual), 40}, {"amxTile.bias", unsafe.Offsetof(x.bias), 48}, {"amxTile.config", unsafe.Offsetof(x.config), 56},
		{"amxTile.space", unsafe.Offsetof(x.space), 64}, {"amxTile.steps", unsafe.Offsetof(x.steps), 72}, {"amxTile.rows", unsafe.Offsetof(x.rows), 80}, {"amxTile.columns", unsafe.Offsetof(x.columns), 88},
		{"amxTile.stride", unsafe.Offsetof(x.stride), 96}, {"amxTile.next", unsafe.Offsetof(x.next), 104}, {"amxTile.nextRow", unsafe.Offsetof(x.nextRow), 112}, {"amxTile.perStep", unsafe.Offsetof(x.perStep), 120},
		{"amxTile.alpha", unsafe.Offsetof(x.alpha), 128}, {"amxTile.flags", unsafe.Offsetof(x.flags), 132}, {"amxTile.moved", unsafe.Offsetof(x.moved), 136},
		{"amxTile.added", unsafe.Offsetof(x.added), 144},
	} {
		if f.got != f.want {
			t.Errorf("%s is at %d, the assembly reads it at %d", f.name, f.got, f.want)
		}
	}
}

func TestAnUnknownLevelIsAnErrorThatNamesThoseThereAre(t *testing.T) {
	_, err := choose("avx1024")
	if err == nil || !strings.Contains(err.Error(), "generic") || !strings.Contains(err.Error(), Environment) {
		t.Errorf("LIAN_KERNELS=avx1024: %v", err)
	}
	for _, level := range Levels() {
		if k, err := choose(level); err != nil || k.level != level {
			t.Errorf("level %s: got %v, %v", level, k, err)
		}
	}
}

func TestAChangedConstantIsPackedAgain(t *testing.T) {
	be := newBackend(available[len(available)-1], 2)
	b := computetest.NewBuild(be, 2)
	o := &compute.MatMul{A: b.Normal(1, 2, 40), B: b.Normal(1, 50, 40), Out: b.Zero(dtype.F32, 2, 50), TransB: true}
	o.B.Constant = true
	st := be.NewStream()
	st.Launch(o)
	first := append([]float32(nil), host.F32(o.Out)...)
	st.Launch(&compute.Add{A: o.B, B: o.B, Out: o.B})
	st.Launch(o)
	for i, v := range host.F32(o.Out) {
		if v != 2*first[i] {
			t.Fatalf("value %d is %v after the weight was doubled, was %v", i, v, first[i])
		}
	}
}

func TestATaskThatPanicsReachesTheCaller(t *testing.T) {
	defer func() {
		if recover() != "boom" {
			t.Error("the panic did not reach the caller")
		}
		ran := 0
		newBackend(available[0], 1).each(3, func(*scratch, int) { ran++ })
		if ran != 3 {
			t.Errorf("after a panic %d of 3 tasks ran", ran)
		}
	}()
	newBackend(available[0], 4).each(64, func(_ *scratch, task int) {
		if task == 40 {
			panic("boom")
		}
	})
}

func TestExpIsAccurate(t *testing.T) {
	for _, k := range available {
		x := make([]float32, 20001)
		for i := range x {
			x[i] = -87.3 + float32(i)*(87.3+60)/20000
		}
		y := make([]float32, len(x))
		k.expScale(at(y, 0), at(x, 0), len(x), 0, 1)
		for i, v := range x {
			want := math.Exp(float64(v))
			if e := math.Abs(float64(y[i])-want) / want; e > 3e-7 {
				t.Fatalf("%s: exp(%v) is %v, expected %v: relative error %.2g", k.level, v, y[i], want, e)
			}
		}
	}
}

func TestMeasurePeakEndsAndFindsSomething(t *testing.T) {
	p := MeasurePeak(context.Background(), New(1))
	if p.GFLOPS <= 0 || p.Workers != 1 || p.Level != Level() {
		t.Errorf("measured %+v", p)
	}
}
