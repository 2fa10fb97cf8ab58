package compute

import "unsafe"

// HostBytes views numbers of this process as the bytes that Stream.Write takes and Stream.Read fills, without copying.
func HostBytes[E float32 | float64 | int32 | uint16](values []E) []byte {
	if len(values) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), len(values)*int(unsafe.Sizeof(values[0])))
}
