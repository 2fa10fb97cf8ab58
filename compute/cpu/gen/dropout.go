package main

var _ = topic("dropout", (*assembly).dropouts)

// golden is the step of the counter of package random, and the multipliers of its finaliser (SplitMix64).
const (
	golden    = 0x9e3779b97f4a7c15
	splitMix1 = 0xbf58476d1ce4e5b9
	splitMix2 = 0x94d049bb133111eb
)

// dropouts writes the kernel of Dropout: a register holds the counters of as many 64-bit numbers as it has, and the halves of what
// they are mixed to stand where the elements stand that they decide.
func (a *assembly) dropouts() {
	var counter, below, scale string
	args := []argument{{"key", "uint64"}, {"number", "int"}, {"below", "uint32"}, {"scale", "float32"}}
	a.each("dropout", "is out = x·scale, or 0 where the 32 bits drawn for an element are below a number.", []string{"out", "x"}, args, nil, func(v *vector) {
		// counter = key + (number + 1 + lane)·golden
		a.op("MOVQ %s, AX", a.arg("number"))
		a.op("INCQ AX")
		a.op("MOVQ $%d, R13", int64(-0x61c8864680b583eb))
		a.op("IMULQ R13, AX")
		a.op("ADDQ %s, AX", a.arg("key"))
		a.op("VMOVQ AX, X0")
		counter = v.new()
		a.op("VPBROADCASTQ X0, %s", counter)
		a.op("VPADDQ %s, %s, %s", v.consts.quads("dropoutLanes", func(i int) uint64 { return uint64(i) * golden }), counter, counter)
		below = v.new()
		a.op("MOVL %s, AX", a.arg("below"))
		a.op("VMOVD AX, X%s", below[1:])
		a.op("VPBROADCASTD X%s, %s", below[1:], below)
		if a.set == avx2 { // signed comparisons only
			a.op("VPXOR %s, %s, %s", v.consts.bits("signBit", 0x80000000), below, below)
		}
		scale = v.scalar("scale")
	}, func(v *vector) {
		z, t := v.new(), v.new()
		v.op("VPSRLQ $30, %s, %s", counter, z)
		v.xor(counter, z)
		v.multiply64(z, "splitMix1", splitMix1)
		v.op("VPSRLQ $27, %s, %s", z, t)
		v.xor(t, z)
		v.multiply64(z, "splitMix2", splitMix2)
		v.op("VPSRLQ $31, %s, %s", z, t)
		v.xor(t, z)
		v.op("VPADDQ %s, %s, %s", v.consts.quads("dropoutStep", func(int) uint64 { return uint64(v.lanes/2) * golden & (1<<64 - 1) }), counter, counter)
		x := v.load("x")
		if v.set == avx512 {
			v.op("VPCMPUD $5, %s, %s, K2", below, z)
			v.op("VMULPS.Z %s, %s, K2, %s", scale, x, x)
		} else {
			v.op("VPXOR %s, %s, %s", v.consts.bits("signBit", 0x80000000), z, z)
			v.op("VPCMPGTD %s, %s, %s", z, below, z)
			v.op("VMULPS %s, %s, %s", scale, x, x)
			v.op("VANDNPS %s, %s, %s", x, z, x)
		}
		v.store(x, "out")
	}, nil)
	a.provide("dropout", "dropout")
}

// quads names a table of 64-bit numbers.
func (c constants) quads(name string, value func(i int) uint64) string {
	var t [16]uint32
	for i := range 8 {
		t[2*i], t[2*i+1] = uint32(value(i)), uint32(value(i)>>32)
	}
	return c.table(name, t)
}

func (v *vector) xor(x, to string) {
	if v.set == avx512 {
		v.op("VPXORQ %s, %s, %s", x, to, to)
	} else {
		v.op("VPXOR %s, %s, %s", x, to, to)
	}
}

// multiply64 is z·by in the 64-bit lanes: one instruction, or three products of halves.
func (v *vector) multiply64(z, name string, by uint64) {
	table := v.consts.quads(name, func(int) uint64 { return by })
	if v.set == avx512 {
		v.op("VPMULLQ %s, %s, %s", table, z, z)
		return
	}
	high, cross := v.new(), v.new()
	v.op("VPSRLQ $32, %s, %s", z, high)
	v.op("VPMULUDQ %s, %s, %s", table, high, high)
	v.op("VPMULUDQ %s, %s, %s", v.consts.quads(name+"High", func(int) uint64 { return by >> 32 }), z, cross)
	v.op("VPADDQ %s, %s, %s", cross, high, high)
	v.op("VPSLLQ $32, %s, %s", high, high)
	v.op("VPMULUDQ %s, %s, %s", table, z, z)
	v.op("VPADDQ %s, %s, %s", high, z, z)
	v.drop(high, cross)
}
