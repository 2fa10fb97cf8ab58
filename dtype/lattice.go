package dtype

import (
	"bytes"
	"embed"
	"fmt"
	"strconv"
	"sync"
)

//go:embed lattices/*.txt
var latticeFiles embed.FS

// lattice is a code book of an IQ format: points of 4 or 8 values.
type lattice struct {
	width  int
	levels []int8
	points []int8 // width values for each code
}

// at is the point of a code.
func (l *lattice) at(code int) []int8 { return l.points[code*l.width : (code+1)*l.width] }

// The code books, read at their first use. The first name is that of the format that has it.
var (
	latticeIQ2_XXS = readOnce("iq2xxs", 256, 8)
	latticeIQ2_XS  = readOnce("iq2xs", 512, 8)
	latticeIQ2_S   = readOnce("iq2s", 1024, 8)
	latticeIQ3_XXS = readOnce("iq3xxs", 256, 4)
	latticeIQ3_S   = readOnce("iq3s", 512, 4)
	latticeIQ1     = readOnce("iq1s", 2048, 8) // IQ1_S and IQ1_M
)

func readOnce(name string, count, width int) func() *lattice {
	return sync.OnceValue(func() *lattice {
		raw, err := latticeFiles.ReadFile("lattices/" + name + ".txt")
		if err != nil {
			panic(err)
		}
		l, err := readLattice(raw, count, width)
		if err != nil {
			panic(fmt.Sprintf("dtype: lattices/%s.txt: %v", name, err))
		}
		return l
	})
}

// readLattice reads comments (#), a line of levels, and `count` lines of `width` digits, each the place of a value among the
// levels.
func readLattice(raw []byte, count, width int) (*lattice, error) {
	l := &lattice{width: width}
	for number, line := range bytes.Split(raw, []byte("\n")) {
		switch {
		case len(line) == 0 || line[0] == '#':
		case l.levels == nil:
			for _, field := range bytes.Fields(line) {
				v, err := strconv.ParseInt(string(field), 10, 8)
				if err != nil {
					return nil, err
				}
				l.levels = append(l.levels, int8(v))
			}
		case len(line) != width:
			return nil, fmt.Errorf("line %d has %d digits, expected %d", number+1, len(line), width)
		default:
			for _, digit := range line {
				if place := int(digit - '0'); place >= len(l.levels) {
					return nil, fmt.Errorf("line %d: digit %c, there are %d levels", number+1, digit, len(l.levels))
				}
				l.points = append(l.points, l.levels[digit-'0'])
			}
		}
	}
	if len(l.points) != count*width {
		return nil, fmt.Errorf("%d points, expected %d", len(l.points)/width, count)
	}
	return l, nil
}

// Lattice is the code book of an IQ1, IQ2 or IQ3 type: the points of its codes, one after another, each of eight values (IQ3:
// four). It must not be written. Nil for other types.
func Lattice(t Type) []int8 {
	switch t {
	case IQ2_XXS:
		return latticeIQ2_XXS().points
	case IQ2_XS:
		return latticeIQ2_XS().points
	case IQ2_S:
		return latticeIQ2_S().points
	case IQ3_XXS:
		return latticeIQ3_XXS().points
	case IQ3_S:
		return latticeIQ3_S().points
	case IQ1_S, IQ1_M:
		return latticeIQ1().points
	}
	return nil
}
