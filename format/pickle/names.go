package pickle

import "fmt"

// opcode is one instruction of a pickle.
type opcode byte

// The opcodes that are read: those of protocols 2 to 5 that build data.
const (
	opMark            opcode = '('
	opStop            opcode = '.'
	opPop             opcode = '0'
	opPopMark         opcode = '1'
	opDup             opcode = '2'
	opBinFloat        opcode = 'G'
	opBinInt          opcode = 'J'
	opBinInt1         opcode = 'K'
	opBinInt2         opcode = 'M'
	opNone            opcode = 'N'
	opBinPersID       opcode = 'Q'
	opReduce          opcode = 'R'
	opBinString       opcode = 'T'
	opShortBinString  opcode = 'U'
	opBinUnicode      opcode = 'X'
	opAppend          opcode = 'a'
	opBuild           opcode = 'b'
	opGlobal          opcode = 'c'
	opDict            opcode = 'd'
	opEmptyDict       opcode = '}'
	opAppends         opcode = 'e'
	opBinGet          opcode = 'h'
	opLongBinGet      opcode = 'j'
	opList            opcode = 'l'
	opEmptyList       opcode = ']'
	opBinPut          opcode = 'q'
	opLongBinPut      opcode = 'r'
	opSetItem         opcode = 's'
	opTuple           opcode = 't'
	opEmptyTuple      opcode = ')'
	opSetItems        opcode = 'u'
	opBinBytes        opcode = 'B'
	opShortBinBytes   opcode = 'C'
	opProto           opcode = 0x80
	opNewObj          opcode = 0x81
	opTuple1          opcode = 0x85
	opTuple2          opcode = 0x86
	opTuple3          opcode = 0x87
	opNewTrue         opcode = 0x88
	opNewFalse        opcode = 0x89
	opLong1           opcode = 0x8a
	opLong4           opcode = 0x8b
	opShortBinUnicode opcode = 0x8c
	opBinUnicode8     opcode = 0x8d
	opBinBytes8       opcode = 0x8e
	opEmptySet        opcode = 0x8f
	opAddItems        opcode = 0x90
	opFrozenSet       opcode = 0x91
	opStackGlobal     opcode = 0x93
	opMemoize         opcode = 0x94
	opFrame           opcode = 0x95
	opByteArray8      opcode = 0x96
)

// refused are the opcodes that exist and are not read, so that an error can name them.
var refused = map[opcode]string{
	'F': "FLOAT", 'I': "INT", 'L': "LONG", 'P': "PERSID", 'S': "STRING", 'V': "UNICODE", 'g': "GET", 'p': "PUT",
	'i': "INST", 'o': "OBJ", 0x82: "EXT1", 0x83: "EXT2", 0x84: "EXT4", 0x92: "NEWOBJ_EX", 0x97: "NEXT_BUFFER", 0x98: "READONLY_BUFFER",
}

func (op opcode) String() string {
	if name, ok := refused[op]; ok {
		return name
	}
	if op > ' ' && op < 0x7f {
		return fmt.Sprintf("%q", rune(op))
	}
	return fmt.Sprintf("0x%02x", byte(op))
}
