package main

import (
	"fmt"
	"strings"
)

// set is an instruction set: how wide its registers are and how many it has.
type set struct {
	file      string // part of the file names
	suffix    string // end of the function names
	register  string // Y or Z
	lanes     int    // float32 in a register
	registers int
	tileRows  int // rows of the largest matrix-multiplication tile
	tileVecs  int // registers across that tile
}

var (
	avx2   = &set{file: "avx2", suffix: "AVX2", register: "Y", lanes: 8, registers: 16, tileRows: 6, tileVecs: 2}
	avx512 = &set{file: "avx512", suffix: "AVX512", register: "Z", lanes: 16, registers: 32, tileRows: 12, tileVecs: 2}
)

func (s *set) tileColumns() int { return s.tileVecs * s.lanes }
func (s *set) bytes() int       { return s.lanes * 4 }

// widths are the panel widths that rows are copied into.
func (s *set) widths() []int { return []int{s.tileRows, s.tileColumns()} }

// assembly collects the functions of one instruction set.
type assembly struct {
	*set
	body   strings.Builder
	decls  strings.Builder
	puts   strings.Builder // assignments of functions to the fields of cpu.kernels
	consts constants
	labels int
	used   map[string]string // argument → operand of its place on the stack
}

func newAssembly(s *set) *assembly { return &assembly{set: s, consts: constants{}} }

// argument is one parameter of a function.
type argument struct{ name, kind string }

func pointers(names ...string) []argument { return arguments("*float32", names...) }
func ints(names ...string) []argument     { return arguments("int", names...) }
func floats(names ...string) []argument   { return arguments("float32", names...) }

func arguments(kind string, names ...string) []argument {
	var out []argument
	for _, n := range names {
		out = append(out, argument{n, kind})
	}
	return out
}

// function starts a function: its declaration, its TEXT line, and where its arguments are.
func (a *assembly) function(name, about string, args []argument, results ...argument) {
	offset := 0
	a.used = map[string]string{}
	place := func(g argument) string {
		size := 8
		if g.kind == "float32" || g.kind == "uint32" {
			size = 4
		}
		offset = (offset + size - 1) / size * size
		at := offset
		offset += size
		a.used[g.name] = fmt.Sprintf("%s+%d(FP)", g.name, at)
		return g.name + " " + g.kind
	}
	var in, out []string
	for _, g := range args {
		in = append(in, place(g))
	}
	offset = (offset + 7) / 8 * 8
	for _, g := range results {
		out = append(out, place(g))
	}
	if len(results) == 0 {
		// the frame ends with the last argument
		last := args[len(args)-1]
		fmt.Sscanf(strings.TrimPrefix(a.used[last.name], last.name), "+%d(FP)", &offset)
		if last.kind == "float32" || last.kind == "uint32" {
			offset += 4
		} else {
			offset += 8
		}
	}
	fmt.Fprintf(&a.decls, "\n// %s%s %s\n//\n//go:noescape\nfunc %s%s(%s)", name, a.suffix, about, name, a.suffix, strings.Join(in, ", "))
	if len(out) > 0 {
		fmt.Fprintf(&a.decls, " (%s)", strings.Join(out, ", "))
	}
	a.decls.WriteString("\n")
	a.labels = 0
	fmt.Fprintf(&a.body, "\n// func %s%s(%s)\nTEXT ·%s%s(SB), NOSPLIT, $0-%d\n", name, a.suffix, strings.Join(in, ", "), name, a.suffix, offset)
}

// arg is the operand of an argument or result.
func (a *assembly) arg(name string) string {
	op, ok := a.used[name]
	if !ok {
		panic("no argument " + name)
	}
	return op
}

// op writes one instruction.
func (a *assembly) op(format string, args ...any) {
	a.body.WriteString("\t" + a.broadcast(fmt.Sprintf(format, args...)) + "\n")
}

// broadcast makes an AVX-512 instruction read one element of a constant that repeats: the linker aligns tables to 32 bytes, and a
// load of 64 that crosses a cache line costs two.
func (a *assembly) broadcast(line string) string {
	if a.set != avx512 || !strings.Contains(line, "<>(SB)") {
		return line
	}
	mnemonic, operands, _ := strings.Cut(line, " ")
	name := operands[:strings.Index(operands, "<>")]
	name = name[strings.LastIndex(name, " ")+1:]
	if !a.consts.repeats(name) || !strings.Contains(operands, ", Z") {
		return line
	}
	base, suffix, _ := strings.Cut(mnemonic, ".")
	if suffix != "" {
		suffix = "." + suffix
	}
	switch {
	case base == "VMOVUPS":
		return "VBROADCASTSS" + suffix + " " + operands
	case takesBroadcast[base]:
		return base + ".BCST" + suffix + " " + operands
	}
	return line
}

// takesBroadcast are the instructions on 32-bit elements that read one of them for all lanes.
var takesBroadcast = func() map[string]bool {
	m := map[string]bool{}
	for _, name := range strings.Fields("VADDPS VSUBPS VMULPS VDIVPS VMAXPS VMINPS VANDPS VORPS VXORPS VANDNPS VCMPPS VPADDD VPSUBD VPANDD VPORD VPXORD VPMULLD") {
		m[name] = true
	}
	for _, kind := range []string{"VFMADD", "VFNMADD", "VFMSUB", "VFNMSUB"} {
		for _, order := range []string{"132", "213", "231"} {
			m[kind+order+"PS"] = true
		}
	}
	return m
}()

// label makes a new label; mark places one.
func (a *assembly) label() string { a.labels++; return fmt.Sprintf("l%d", a.labels) }

func (a *assembly) mark(label string) { fmt.Fprintf(&a.body, "%s:\n", label) }

// r is vector register i.
func (s *set) r(i int) string {
	if i >= s.registers {
		panic(fmt.Sprintf("%s has no register %d", s.suffix, i))
	}
	return fmt.Sprintf("%s%d", s.register, i)
}

func (a *assembly) ret() {
	a.op("VZEROUPPER")
	a.op("RET")
}

func (a *assembly) source() []byte {
	return []byte("// " + header + "\n\n#include \"textflag.h\"\n" + a.consts.source() + a.body.String())
}

// provide puts a function of this set into a field of cpu.kernels at the level of this set.
func (a *assembly) provide(field, function string) {
	fmt.Fprintf(&a.puts, "\tk.%s = %s%s\n", field, function, a.suffix)
}

// provideTo puts a function of this set into a field of a table of an operation's own; see cpu.tableOf.
func (a *assembly) provideTo(table, field, function string) {
	fmt.Fprintf(&a.puts, "\ttableOf[%s](k).%s = %s%s\n", table, field, function, a.suffix)
}

// put sets another field of cpu.kernels at the level of this set.
func (a *assembly) put(format string, args ...any) {
	fmt.Fprintf(&a.puts, "\tk."+format+"\n", args...)
}

func (a *assembly) declarations() string {
	out := "// " + header + "\n\npackage cpu\n"
	for _, name := range []string{"compute", "dtype"} {
		if strings.Contains(a.puts.String(), name+".") {
			out += "\nimport \"lian/" + name + "\"\n"
		}
	}
	if a.puts.Len() > 0 {
		out += fmt.Sprintf("\nvar _ = kernelsOf(%q, func(k *kernels) {\n%s})\n", a.file, a.puts.String())
	}
	return out + a.decls.String()
}
