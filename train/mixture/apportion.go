package mixture

import (
	"fmt"
	"slices"
)

// shares is the number of parts that weights are counted in: a weight has five digits.
const shares = 100_000

// apportion says whose each row is: a table of one period, repeated. After any number of rows each domain is within one row of its
// share. Source: Tijdeman, The chairman assignment problem, Discrete Mathematics 32 (1980).
type apportion struct {
	quota []int    // rows of each domain in a period
	owner []uint16 // of each row of a period
	rank  []int32  // rows of the same owner before it in the period
}

// parts are weights as whole parts of shares, by the largest remainders; who has a weight has a part.
func parts(weights []float64) ([]int, error) {
	sum := 0.0
	for _, w := range weights {
		if !(w >= 0) || w > 1e300 {
			return nil, fmt.Errorf("weight %v, expected a number from 0 on", w)
		}
		sum += w
	}
	if sum == 0 {
		return nil, fmt.Errorf("all weights are 0")
	}
	out, left := make([]int, len(weights)), shares
	rest := make([]float64, len(weights))
	for i, w := range weights {
		exact := w / sum * shares
		out[i] = int(exact)
		rest[i] = exact - float64(out[i])
		if w > 0 && out[i] == 0 {
			out[i], rest[i] = 1, 0
		}
		left -= out[i]
	}
	order := make([]int, len(weights))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if rest[a] > rest[b] {
			return -1
		}
		return 1
	})
	for i := 0; left > 0; i, left = i+1, left-1 {
		out[order[i%len(order)]]++
	}
	for ; left < 0; left++ { // least parts that were given without a claim come from the largest
		largest := 0
		for i, n := range out {
			if n > out[largest] {
				largest = i
			}
		}
		out[largest]--
	}
	return out, nil
}

// mostDomains keeps the arithmetic of newApportion within 63 bits.
const mostDomains = 1000

func newApportion(weights []float64) (*apportion, error) {
	quota, err := parts(weights)
	if err != nil {
		return nil, err
	}
	a := &apportion{quota: quota}
	var used []int // domains with a share
	for i, q := range quota {
		if q > 0 {
			used = append(used, i)
		}
	}
	if len(used) == 1 {
		a.quota[used[0]], a.owner, a.rank = 1, []uint16{uint16(used[0])}, []int32{0}
		return a, nil
	}
	if len(weights) > mostDomains {
		return nil, fmt.Errorf("%d domains, up to %d are possible", len(weights), mostDomains)
	}
	a.owner, a.rank = make([]uint16, shares), make([]int32, shares)
	given := make([]int, len(quota))
	bound := 2*len(used) - 2
	for row := range shares {
		best, bestSlack := -1, 0
		for _, i := range used {
			claim := bound * (quota[i]*(row+1) - shares*given[i]) // in parts of bound·shares rows
			if claim < shares {
				continue
			}
			slack := (bound-1)*shares - claim // over quota: how long it can wait
			if best < 0 || slack*quota[best] < bestSlack*quota[i] {
				best, bestSlack = i, slack
			}
		}
		a.owner[row], a.rank[row] = uint16(best), int32(given[best])
		given[best]++
	}
	return a, nil
}

// row is the domain of a row and its number in the domain.
func (a *apportion) row(k int) (domain, row int) {
	period, at := k/len(a.owner), k%len(a.owner)
	domain = int(a.owner[at])
	return domain, period*a.quota[domain] + int(a.rank[at])
}

// before is how many of the first n rows each domain has.
func (a *apportion) before(n int) []int {
	out := make([]int, len(a.quota))
	for i, q := range a.quota {
		out[i] = n / len(a.owner) * q
	}
	for _, o := range a.owner[:n%len(a.owner)] {
		out[o]++
	}
	return out
}
