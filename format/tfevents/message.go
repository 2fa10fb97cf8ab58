package tfevents

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// The kinds of fields on the wire.
const (
	varint = 0
	fixed8 = 1
	length = 2
	fixed4 = 5
)

// message is a protocol buffer being written.
type message []byte

func (m *message) tag(field, kind int) {
	*m = binary.AppendUvarint(*m, uint64(field<<3|kind))
}

func (m *message) number(field int, v uint64) {
	if v != 0 {
		m.tag(field, varint)
		*m = binary.AppendUvarint(*m, v)
	}
}

func (m *message) double(field int, v float64) {
	m.tag(field, fixed8)
	*m = binary.LittleEndian.AppendUint64(*m, math.Float64bits(v))
}

func (m *message) float(field int, v float32) {
	m.tag(field, fixed4)
	*m = binary.LittleEndian.AppendUint32(*m, math.Float32bits(v))
}

func (m *message) bytes(field int, v []byte) {
	m.tag(field, length)
	*m = append(binary.AppendUvarint(*m, uint64(len(v))), v...)
}

func (m *message) text(field int, v string) { m.bytes(field, []byte(v)) }

// encode writes an event. Numbers of fields: Event wall_time 1, step 2, file_version 3, summary 5, session_log 7; Summary value 1; Value tag 1,
// simple_value 2, tensor 8, metadata 9; TensorProto dtype 1 (string is 7), tensor_shape 2, string_val 8; SummaryMetadata plugin_data 1,
// data_class 4 (tensor is 2); SessionLog status 1 (start is 1).
func encode(e Event) []byte {
	var m message
	m.double(1, float64(e.Time.UnixMicro())/1e6)
	m.number(2, uint64(e.Step))
	if e.Version != "" {
		m.text(3, e.Version)
	}
	var summary message
	for _, s := range e.Scalars {
		var v message
		v.text(1, s.Tag)
		v.float(2, s.Value)
		summary.bytes(1, v)
	}
	for _, t := range e.Texts {
		var plugin, metadata, tensor, v message
		plugin.text(1, "text")
		metadata.bytes(1, plugin)
		metadata.number(4, 2)
		tensor.number(1, 7)
		tensor.bytes(2, nil) // a scalar's shape has no axes
		tensor.text(8, t.Value)
		v.text(1, t.Tag)
		v.bytes(8, tensor)
		v.bytes(9, metadata)
		summary.bytes(1, v)
	}
	if len(summary) > 0 {
		m.bytes(5, summary)
	}
	if e.Start {
		var log message
		log.number(1, 1)
		m.bytes(7, log)
	}
	return m
}

// fields calls f for each field of a message: number holds those of fixed size or varint, data those with a length.
func fields(m []byte, f func(field int, number uint64, data []byte) error) error {
	for len(m) > 0 {
		tag, n := binary.Uvarint(m)
		if n <= 0 {
			return fmt.Errorf("a field's number does not end")
		}
		m = m[n:]
		var number uint64
		var data []byte
		switch kind := tag & 7; kind {
		case varint:
			if number, n = binary.Uvarint(m); n <= 0 {
				return fmt.Errorf("field %d: a number does not end", tag>>3)
			}
			m = m[n:]
		case fixed8:
			if len(m) < 8 {
				return fmt.Errorf("field %d: 8 bytes expected, %d are left", tag>>3, len(m))
			}
			number, m = binary.LittleEndian.Uint64(m), m[8:]
		case fixed4:
			if len(m) < 4 {
				return fmt.Errorf("field %d: 4 bytes expected, %d are left", tag>>3, len(m))
			}
			number, m = uint64(binary.LittleEndian.Uint32(m)), m[4:]
		case length:
			size, n := binary.Uvarint(m)
			if n <= 0 || size > uint64(len(m)-n) {
				return fmt.Errorf("field %d: %d bytes expected, %d are left", tag>>3, size, max(0, len(m)-n))
			}
			data, m = m[n:n+int(size)], m[n+int(size):]
		default:
			return fmt.Errorf("field %d: unknown kind %d", tag>>3, kind)
		}
		if tag>>3 > 1<<29 {
			return fmt.Errorf("field number %d is out of range", tag>>3)
		}
		if err := f(int(tag>>3), number, data); err != nil {
			return err
		}
	}
	return nil
}

// decode reads what encode writes and passes over the rest.
func decode(m []byte) (e Event, err error) {
	err = fields(m, func(field int, number uint64, data []byte) error {
		switch field {
		case 1:
			seconds := math.Float64frombits(number)
			if !(math.Abs(seconds) < 1e11) {
				return fmt.Errorf("wall_time is %v, expected seconds since 1970", seconds)
			}
			e.Time = time.UnixMicro(int64(math.Round(seconds * 1e6))).UTC()
		case 2:
			e.Step = int64(number)
		case 3:
			e.Version = string(data)
		case 5:
			return fields(data, func(field int, _ uint64, data []byte) error {
				if field != 1 {
					return nil
				}
				return e.value(data)
			})
		case 7:
			return fields(data, func(field int, number uint64, _ []byte) error {
				e.Start = e.Start || field == 1 && number == 1
				return nil
			})
		}
		return nil
	})
	return e, err
}

// value reads one value of a summary.
func (e *Event) value(m []byte) error {
	tag, scalar, texts := "", (*float32)(nil), []string(nil)
	err := fields(m, func(field int, number uint64, data []byte) error {
		switch field {
		case 1:
			tag = string(data)
		case 2:
			v := math.Float32frombits(uint32(number))
			scalar = &v
		case 8:
			return fields(data, func(field int, _ uint64, data []byte) error {
				if field == 8 {
					texts = append(texts, string(data))
				}
				return nil
			})
		}
		return nil
	})
	if scalar != nil {
		e.Scalars = append(e.Scalars, Scalar{tag, *scalar})
	}
	for _, t := range texts {
		e.Texts = append(e.Texts, Text{tag, t})
	}
	return err
}
