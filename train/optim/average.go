package optim

import (
	"lian/compute"
)

// publisher is a rule whose weights are not what is to be published: publish turns them into it.
type publisher interface {
	publish(s compute.Launcher, param *compute.Tensor, states []*compute.Tensor)
}

// averages takes the weights into their average: A = d·A + (1−d)·weights with d = min(Average, (1 + step)/(10 + step)), so that the
// average does not stay at the start for long.
func (x *Optimizer) averages(s compute.Launcher, step int) {
	fresh := 1 - min(x.options.Average, float64(1+step)/float64(10+step))
	for _, r := range x.table {
		if r.average != nil {
			s.Launch(&compute.Update{Param: r.average, Direction: r.tensor, Rate: -fresh, Shrink: fresh})
		}
	}
}

// publishes says whether what is to be published is not the weights themselves.
func (r *row) publishes() bool {
	_, ok := r.rule.(publisher)
	return ok || r.average != nil
}

// Publishes says whether Publish changes anything.
func (x *Optimizer) Publishes() bool {
	for _, r := range x.table {
		if r.publishes() {
			return true
		}
	}
	return false
}

// Publish puts the weights that are to be evaluated and written in the place of those that are trained, which wait in spare: a tensor of each
// parameter's shape that nobody needs, such as its gradient between two steps. Restore puts them back, to the bit.
func (x *Optimizer) Publish(s compute.Launcher, spare func(*compute.Tensor) *compute.Tensor) {
	for _, r := range x.table {
		if !r.publishes() {
			continue
		}
		copyTo(s, spare(r.tensor), r.tensor)
		if r.average != nil {
			copyTo(s, r.tensor, r.average)
		} else {
			r.rule.(publisher).publish(s, r.tensor, r.tensors)
		}
	}
}

// Restore undoes Publish.
func (x *Optimizer) Restore(s compute.Launcher, spare func(*compute.Tensor) *compute.Tensor) {
	for _, r := range x.table {
		if r.publishes() {
			copyTo(s, r.tensor, spare(r.tensor))
		}
	}
}
