package cpu

import (
	"math"

	"lian/compute"
	"lian/compute/host"
	"lian/dtype"
)

// outlierKernels find outliers of rows of activations and multiply them.
type outlierKernels struct {
	farthest func(x *float32, n int) float32                 // the largest magnitude; NaN is passed over
	addTimes func(y, x *float32, n int, by float32)          // y += x·by, rounded once
	addTwo   func(y, x, z *float32, n int, by, then float32) // the same of x, then of z
}

var _ = kernelsOf("generic", func(k *kernels) {
	t := tableOf[outlierKernels](k)
	t.farthest = func(x *float32, n int) (most float32) {
		for _, v := range slice(x, n) {
			if v = float32(math.Abs(float64(v))); v > most {
				most = v
			}
		}
		return most
	}
	t.addTimes = func(y, x *float32, n int, by float32) {
		out := slice(y, n)
		for i, v := range slice(x, n) {
			out[i] = fusedMultiplyAdd(v, by, out[i])
		}
	}
	t.addTwo = func(y, x, z *float32, n int, by, then float32) {
		t.addTimes(y, x, n, by)
		t.addTimes(y, z, n, then)
	}
})

// outliers are those of the rows of a product, see compute.OutlierBound: found when the rows are rounded, multiplied when the
// integers are done. The backend keeps one.
type outliers struct {
	*kernels
	*outlierKernels
	k      int
	counts []int32   // of each row
	places []int32   // MostOutliers of each row, ascending
	values []float32 // as many
	marks  []bool    // of each channel, while channels are listed
	list   []int32   // channels that are an outlier of any row
	time   uint64    // counts products
}

// weightOf is the weight of a product whose outliers stay float, else nil.
func weightOf(o *compute.MatMul) *compute.Tensor {
	if o.Outliers {
		return o.B
	}
	return nil
}

// outlierSegment is how many values are looked at together.
const outlierSegment = 64

// outliersOf has room for the outliers of m rows of k values.
func (b *backend) outliersOf(m, k int) *outliers {
	f := &b.far
	f.kernels, f.outlierKernels, f.k = b.kernels, tableOf[outlierKernels](b.kernels), k
	if len(f.counts) < m {
		f.counts, f.places, f.values = make([]int32, m), make([]int32, m*compute.MostOutliers), make([]float32, m*compute.MostOutliers)
	}
	if len(f.marks) < k {
		f.marks = make([]bool, k)
	}
	f.list = f.list[:0]
	f.time++
	return f
}

// find notes the outliers of a row and says whether there are any.
func (f *outliers) find(row int, x []float32) bool {
	f.counts[row] = 0
	bound := compute.OutlierBound(f.sumSquares(at(x, 0), f.k), f.k)
	if far := f.farthest(at(x, 0), f.k); !(float32(far*far) > bound) {
		return false
	}
	n, places, values := 0, f.places[row*compute.MostOutliers:][:compute.MostOutliers], f.values[row*compute.MostOutliers:][:compute.MostOutliers]
	for from := 0; from < f.k; from += outlierSegment {
		segment := x[from:min(from+outlierSegment, f.k)]
		if far := f.farthest(at(segment, 0), len(segment)); !(float32(far*far) > bound) {
			continue
		}
		for i, v := range segment {
			if float32(v*v) > bound && n < len(places) {
				places[n], values[n] = int32(from+i), v
				n++
			}
		}
	}
	f.counts[row] = int32(n)
	return n > 0
}

// of is what find noted of a row.
func (f *outliers) of(row int) ([]int32, []float32) {
	n, from := int(f.counts[row]), row*compute.MostOutliers
	return f.places[from : from+n], f.values[from : from+n]
}

// cleaned calls do for each stretch of `size` values of a row that has outliers, with a copy that has 0 in their places. space has
// room for a stretch.
func (f *outliers) cleaned(row int, x, space []float32, size int, do func(from int, values []float32)) {
	places, _ := f.of(row)
	for i := 0; i < len(places); {
		from := int(places[i]) / size * size
		values := space[:copy(space[:size], x[from:])]
		for ; i < len(places) && int(places[i]) < from+size; i++ {
			values[int(places[i])-from] = 0
		}
		do(from, values)
	}
}

// channels lists the channels that are outliers of any of m rows.
func (f *outliers) channels(m int) []int32 {
	if len(f.list) > 0 {
		return f.list
	}
	for r := range m {
		places, _ := f.of(r)
		for _, c := range places {
			if !f.marks[c] {
				f.marks[c] = true
				f.list = append(f.list, c)
			}
		}
	}
	for _, c := range f.list {
		f.marks[c] = false
	}
	return f.list
}

// outlierProduct is what the outliers of rows bring to the outputs of one weight.
type outlierProduct struct {
	*outliers
	columns [][]float32 // of the weight, by channel; those of outliers are there
}

// outlierProductOf reads the weight's columns that the outliers of m rows need; f is nil for a product without. number tells products of
// one launch apart.
func (b *backend) outlierProductOf(f *outliers, weight *compute.Tensor, m, n, k, number int) outlierProduct {
	if f == nil {
		return outlierProduct{}
	}
	t := &b.farColumns[number]
	if len(t.columns) < k {
		t.columns = make([][]float32, k)
	}
	if channels := f.channels(m); len(channels) > 0 {
		b.readColumns(t.columns, channels, weight, n, k, number)
	}
	return outlierProduct{f, t.columns}
}

// add brings them to columns [from, to) of rows [first, last) of out.
func (p *outlierProduct) add(out []float32, stride, first, last, from, to int, alpha float32) {
	if p.outliers == nil {
		return
	}
	for r := first; r < last; r++ {
		places, values := p.of(r)
		if len(places) == 0 {
			continue
		}
		y, i := at(out, r*stride+from), 0
		for ; i+2 <= len(places); i += 2 {
			p.addTwo(y, at(p.columns[places[i]], from), at(p.columns[places[i+1]], from), to-from, float32(values[i]*alpha), float32(values[i+1]*alpha))
		}
		if i < len(places) {
			p.addTimes(y, at(p.columns[places[i]], from), to-from, float32(values[i]*alpha))
		}
	}
}

// addAll brings them to all outputs, on the workers where that pays.
func (b *backend) addAll(p outlierProduct, out []float32, stride, m, n int, alpha float32) {
	if p.outliers == nil || len(p.list) == 0 {
		return
	}
	t := frame[outlierTask](b)
	*t = outlierTask{p, out, stride, m, n, alpha}
	switch {
	case m*n <= 4*stretch:
		p.add(out, stride, 0, m, 0, n, alpha)
	case m > fewRows:
		t.n = 0
		b.spansOf(m, 1, t)
	default:
		b.spansOf(n, stretch, t)
	}
	*t = outlierTask{}
}

// outlierTask is addAll in work: spans of columns, or of rows if n is 0.
type outlierTask struct {
	outlierProduct
	out    []float32
	stride int
	m, n   int
	alpha  float32
}

func (t *outlierTask) span(_ *scratch, from, to int) {
	if t.n == 0 {
		t.add(t.out, t.stride, from, to, 0, t.stride, t.alpha)
		return
	}
	t.add(t.out, t.stride, 0, t.m, from, to, t.alpha)
}

// keptColumns are columns of a constant weight as float32. Outliers stand in the same channels from token to token, so a few of them
// save reading a block of each row for one value of it.
type keptColumns struct {
	key      keptKey
	channels []int32
	values   [][]float32
	used     []uint64 // when
}

// keptKey says what of a buffer the columns are of, and who keeps them.
type keptKey struct {
	b      *backend
	offset int
	kind   dtype.Type
	n, k   int
}

// keptBytes is what is kept of a weight at most, but at least leastKept columns.
const keptBytes, leastKept = 64 << 10, 16

// readColumns puts the columns of channels where they are looked for.
func (b *backend) readColumns(to [][]float32, channels []int32, weight *compute.Tensor, n, k, number int) {
	kept := b.keptOf(weight, n, k)
	t := frame[columnTask](b)
	*t = columnTask{b: b, weight: weight, n: n, k: k, channels: t.channels[:0], values: t.values[:0]}
	extra := 0
	for _, c := range channels {
		column, there := kept.take(c, n, b.far.time)
		if column == nil {
			column = b.farColumns[number].space(extra, n)
			extra++
		}
		if to[c] = column; !there {
			t.channels, t.values = append(t.channels, c), append(t.values, column)
		}
	}
	if len(t.channels) > 0 {
		b.eachOf(len(t.channels)*t.chunks(), t)
	}
	t.weight = nil
}

// keptOf is what is kept of a weight; nil for one that may change.
func (b *backend) keptOf(weight *compute.Tensor, n, k int) *keptColumns {
	buffer, ok := weight.Buffer.(*host.Buffer)
	if !ok || !weight.Constant {
		return nil
	}
	key := keptKey{b, weight.Offset, weight.Type, n, k}
	return buffer.Form(func(form any) bool { x, ok := form.(*keptColumns); return ok && x.key == key }, func() any { return &keptColumns{key: key} }).(*keptColumns)
}

// take is the place of a channel's column, and whether the column is there already; nil if there is no place.
func (x *keptColumns) take(channel int32, n int, now uint64) ([]float32, bool) {
	if x == nil {
		return nil, false
	}
	oldest := 0
	for i, c := range x.channels {
		if c == channel {
			x.used[i] = now
			return x.values[i], true
		}
		if x.used[i] < x.used[oldest] {
			oldest = i
		}
	}
	if len(x.channels) < max(leastKept, keptBytes/(4*max(n, 1))) {
		x.channels, x.used, x.values = append(x.channels, channel), append(x.used, now), append(x.values, make([]float32, n))
		return x.values[len(x.values)-1], false
	}
	if x.used[oldest] == now {
		return nil, false
	}
	x.channels[oldest], x.used[oldest] = channel, now
	return x.values[oldest], false
}

// columnTable is a product's columns by channel, and memory for those that are not kept.
type columnTable struct {
	columns [][]float32
	spaces  [][]float32
}

func (t *columnTable) space(i, n int) []float32 {
	if i == len(t.spaces) {
		t.spaces = append(t.spaces, nil)
	}
	if len(t.spaces[i]) < n {
		t.spaces[i] = make([]float32, n)
	}
	return t.spaces[i][:n]
}

// columnTask reads columns of a weight.
type columnTask struct {
	b        *backend
	weight   *compute.Tensor
	n, k     int
	channels []int32
	values   [][]float32
}

// columnRows is how many values of a column a task reads: a head's column is long enough for all workers.
const columnRows = 4096

func (t *columnTask) chunks() int { return (t.n + columnRows - 1) / columnRows }

func (t *columnTask) task(s *scratch, task int) {
	chunks := t.chunks()
	kind, channel, out := t.weight.Type, int(t.channels[task/chunks]), t.values[task/chunks]
	from := task % chunks * columnRows
	size, bytes, rowBytes := kind.BlockSize(), kind.BlockBytes(), kind.Bytes(t.k)
	data := host.Bytes(t.weight)[channel/size*bytes:]
	one := oneValue(kind)
	block := s.need(slotOutlier, size)
	for j := from; j < min(from+columnRows, t.n); j++ {
		if one != nil {
			out[j] = one(data[j*rowBytes:][:bytes], channel%size)
			continue
		}
		if err := t.b.dequantize(kind, data[j*rowBytes:][:bytes], block); err != nil {
			t.b.fail(err)
			return
		}
		out[j] = block[channel%size]
	}
}

// oneValue reads one value of a block without the others, of the types where that is simple; nil for others. It has the decoder's bits.
func oneValue(kind dtype.Type) func(block []byte, i int) float32 {
	switch kind {
	case dtype.Q4_0:
		return func(block []byte, i int) float32 {
			return scaleOf(block) * float32(int(nibble(block[2:18], i))-8)
		}
	case dtype.Q4_1:
		return func(block []byte, i int) float32 {
			return float32(scaleOf(block)*float32(nibble(block[4:20], i))) + scaleOf(block[2:])
		}
	case dtype.Q8_0:
		return func(block []byte, i int) float32 { return scaleOf(block) * float32(int8(block[2+i])) }
	}
	return nil
}

func scaleOf(b []byte) float32 { return dtype.F16ToF32(uint16(b[0]) | uint16(b[1])<<8) }

// nibble is value i of 32 in 16 bytes: the low halves come first.
func nibble(b []byte, i int) byte { return b[i%16] >> (i / 16 * 4) & 15 }
