package pickle

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"slices"
	"unicode/utf8"
)

// What things take in memory, roughly: a value on the stack or in a container, an
// object of its own, an entry of the memo.
const (
	costValue  = 16
	costObject = 64
	costMemo   = 96
)

// maxProtocol is the newest protocol there is.
const maxProtocol = 5

// mark is what MARK puts on the stack.
type mark struct{}

// machine is a pickle being read.
type machine struct {
	o     Options
	data  []byte
	at    int
	stack []any
	memo  map[uint32]any
}

// Read reads the pickle at the start of data and returns its value and how many
// bytes it takes. Errors name the byte.
func Read(data []byte, o Options) (value any, length int, err error) {
	m := &machine{o: o, data: data, memo: map[uint32]any{}}
	for {
		from := m.at
		if m.at >= len(data) {
			return nil, 0, fmt.Errorf("at byte %d: the pickle ends without STOP: cut off, or no pickle", m.at)
		}
		op := opcode(data[m.at])
		m.at++
		if op == opStop {
			value, err := m.pop()
			if err != nil {
				return nil, 0, fmt.Errorf("at byte %d: STOP: %w", from, err)
			}
			return value, m.at, nil
		}
		if err := m.step(op); err != nil {
			return nil, 0, fmt.Errorf("at byte %d: %w", from, err)
		}
	}
}

func (m *machine) take(n uint64) ([]byte, error) {
	if n > uint64(len(m.data)-m.at) {
		return nil, fmt.Errorf("%d bytes expected, %d are left: cut off, or not sound", n, len(m.data)-m.at)
	}
	b := m.data[m.at : m.at+int(n)]
	m.at += int(n)
	return b, nil
}

// number reads an unsigned little-endian number of 1, 2, 4 or 8 bytes.
func (m *machine) number(width int) (uint64, error) {
	b, err := m.take(uint64(width))
	if err != nil {
		return 0, err
	}
	var n uint64
	for i, v := range b {
		n |= uint64(v) << (8 * i)
	}
	return n, nil
}

func (m *machine) push(v any, cost int) error {
	if err := m.o.Budget.Take(costValue + cost); err != nil {
		return err
	}
	m.stack = append(m.stack, v)
	return nil
}

func (m *machine) pop() (any, error) {
	if len(m.stack) == 0 {
		return nil, fmt.Errorf("the stack is empty")
	}
	v := m.stack[len(m.stack)-1]
	if _, ok := v.(mark); ok {
		return nil, fmt.Errorf("a mark where a value is expected")
	}
	m.stack = m.stack[:len(m.stack)-1]
	return v, nil
}

// top is the value at the end of the stack, which stays there.
func (m *machine) top() (any, error) {
	v, err := m.pop()
	if err == nil {
		m.stack = append(m.stack, v)
	}
	return v, err
}

// popMark takes what lies above the last mark, and the mark. The result is a view of
// the stack that the next push overwrites.
func (m *machine) popMark() ([]any, error) {
	for i, v := range slices.Backward(m.stack) {
		if _, ok := v.(mark); ok {
			items := m.stack[i+1:]
			m.stack = m.stack[:i]
			return items, nil
		}
	}
	return nil, fmt.Errorf("no mark on the stack")
}

// popN takes n values.
func (m *machine) popN(n int) ([]any, error) {
	if len(m.stack) < n {
		return nil, fmt.Errorf("%d values expected on the stack, there are %d", n, len(m.stack))
	}
	items := m.stack[len(m.stack)-n:]
	if slices.ContainsFunc(items, func(v any) bool { _, ok := v.(mark); return ok }) {
		return nil, fmt.Errorf("a mark where a value is expected")
	}
	m.stack = m.stack[:len(m.stack)-n]
	return items, nil
}

// step does one opcode.
func (m *machine) step(op opcode) error {
	switch op {
	case opProto:
		version, err := m.number(1)
		if err == nil && version > maxProtocol {
			err = fmt.Errorf("pickle protocol %d; up to %d are known", version, maxProtocol)
		}
		return err
	case opFrame:
		length, err := m.number(8)
		if err == nil && length > uint64(len(m.data)-m.at) {
			err = fmt.Errorf("FRAME of %d bytes, %d are left: cut off, or not sound", length, len(m.data)-m.at)
		}
		return err
	case opNone:
		return m.push(nil, 0)
	case opNewTrue, opNewFalse:
		return m.push(op == opNewTrue, 0)
	case opBinInt, opBinInt1, opBinInt2, opLong1, opLong4, opBinFloat:
		return m.numeric(op)
	case opBinString, opShortBinString, opBinUnicode, opShortBinUnicode, opBinUnicode8, opBinBytes, opShortBinBytes, opBinBytes8, opByteArray8:
		return m.text(op)
	case opMark, opPop, opPopMark, opDup, opBinGet, opLongBinGet, opBinPut, opLongBinPut, opMemoize:
		return m.shuffle(op)
	case opGlobal, opStackGlobal, opReduce, opNewObj, opBuild, opBinPersID:
		return m.refer(op)
	}
	return m.container(op)
}

// numeric pushes a number.
func (m *machine) numeric(op opcode) error {
	width := map[opcode]int{opBinInt: 4, opBinInt1: 1, opBinInt2: 2, opLong1: 1, opLong4: 4, opBinFloat: 8}[op]
	n, err := m.number(width)
	if err != nil {
		return err
	}
	switch op {
	case opBinInt:
		return m.push(int64(int32(n)), 8)
	case opBinFloat: // the one big-endian value
		b := m.data[m.at-8 : m.at]
		return m.push(math.Float64frombits(binary.BigEndian.Uint64(b)), 8)
	case opLong1, opLong4:
		raw, err := m.take(n)
		if err != nil {
			return err
		}
		return m.push(long(raw), costObject+len(raw))
	}
	return m.push(int64(n), 8)
}

// long is a number in little-endian two's complement of any length.
func long(raw []byte) any {
	if len(raw) <= 8 {
		var n uint64
		for i, v := range raw {
			n |= uint64(v) << (8 * i)
		}
		shift := 64 - 8*len(raw)
		if shift == 64 {
			return int64(0)
		}
		return int64(n<<shift) >> shift
	}
	big1 := slices.Clone(raw)
	slices.Reverse(big1)
	n := new(big.Int).SetBytes(big1)
	if big1[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(raw))))
	}
	return n
}

// text pushes a string or bytes.
func (m *machine) text(op opcode) error {
	width := 4
	switch op {
	case opShortBinString, opShortBinUnicode, opShortBinBytes:
		width = 1
	case opBinUnicode8, opBinBytes8, opByteArray8:
		width = 8
	}
	n, err := m.number(width)
	if err != nil {
		return err
	}
	raw, err := m.take(n)
	if err != nil {
		return err
	}
	switch op {
	case opBinUnicode, opShortBinUnicode, opBinUnicode8:
		if !utf8.Valid(raw) {
			return fmt.Errorf("a text is not UTF-8: %.40q", raw)
		}
		return m.push(string(raw), len(raw)+costValue)
	case opBinString, opShortBinString: // Python 2 made no difference between text and bytes
		if utf8.Valid(raw) {
			return m.push(string(raw), len(raw)+costValue)
		}
	}
	return m.push(slices.Clone(raw), len(raw)+24)
}

// shuffle moves values between the stack and the memo.
func (m *machine) shuffle(op opcode) error {
	switch op {
	case opMark:
		return m.push(mark{}, 0)
	case opPop:
		if len(m.stack) == 0 {
			return fmt.Errorf("POP: the stack is empty")
		}
		m.stack = m.stack[:len(m.stack)-1]
		return nil
	case opPopMark:
		_, err := m.popMark()
		return err
	case opDup:
		v, err := m.top()
		if err != nil {
			return err
		}
		return m.push(v, 0)
	case opMemoize:
		return m.remember(uint32(len(m.memo)))
	}
	width := 1
	if op == opLongBinGet || op == opLongBinPut {
		width = 4
	}
	n, err := m.number(width)
	if err != nil {
		return err
	}
	if op == opBinPut || op == opLongBinPut {
		return m.remember(uint32(n))
	}
	v, ok := m.memo[uint32(n)]
	if !ok {
		return fmt.Errorf("memo %d was never filled", n)
	}
	return m.push(v, 0)
}

func (m *machine) remember(n uint32) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	if err := m.o.Budget.Take(costMemo); err != nil {
		return err
	}
	m.memo[n] = v
	return nil
}

// line reads text up to a line's end.
func (m *machine) line() (string, error) {
	end := bytes.IndexByte(m.data[m.at:], '\n')
	if end < 0 {
		return "", fmt.Errorf("a line without an end: cut off, or not sound")
	}
	raw, err := m.take(uint64(end + 1))
	return string(raw[:end]), err
}
