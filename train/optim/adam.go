package optim

import (
	"math"

	"lian/compute"
	"lian/train/schedule"
)

func init() {
	rules["adamw"] = func(o Options, p parameter) Rule { return adamw{o, p.shape} }
	for name, a := range map[string]adaptive{
		"adam":     {fill: adam, mean: true},
		"amsgrad":  {fill: amsgrad, mean: true, most: true},
		"nadam":    {fill: nadam, mean: true},
		"radam":    {fill: radam, mean: true},
		"ademamix": {fill: ademamix, mean: true, slow: true},
		"rmsprop":  {fill: rmsprop},
		"adagrad":  {fill: adagrad},
	} {
		rules[name] = func(o Options, p parameter) Rule {
			rule := a
			rule.Options, rule.shape = o, p.shape
			return rule
		}
	}
}

// beta2 is β₂ of a step.
func (o Options) beta2(step int) float64 { return schedule.Beta2(o.Beta2, o.Beta2Power, step) }

// adamw is Adam with decoupled decay (arXiv 1711.05101).
type adamw struct {
	Options
	shape []int
}

func (a adamw) States() []State { return []State{like("m", a.shape), like("v", a.shape)} }

func (a adamw) Step(s compute.Launcher, m Move) {
	s.Launch(&compute.AdamW{Param: m.Param, Grad: m.Grad, M: m.States[0], V: m.States[1], GradScale: m.Scale,
		LearningRate: m.Rate, Beta1: a.Beta1, Beta2: a.beta2(m.Step), Epsilon: a.Epsilon, Decay: m.Decay, Step: m.Step})
}

// adaptive is a relative of Adam: fill puts the numbers of a step into the operation.
type adaptive struct {
	Options
	shape            []int
	mean, most, slow bool // which states it has beside V
	fill             func(a *compute.Adaptive, o Options, m Move)
}

func (a adaptive) States() []State {
	list := []State{like("v", a.shape)}
	if a.mean {
		list = append(list, like("m", a.shape))
	}
	if a.most {
		list = append(list, like("max", a.shape))
	}
	if a.slow {
		list = append(list, like("slow", a.shape))
	}
	return list
}

func (a adaptive) Step(s compute.Launcher, m Move) {
	beta2 := a.beta2(m.Step)
	o := &compute.Adaptive{Param: m.Param, Grad: m.Grad, GradScale: m.Scale, V: m.States[0], Beta1: a.Beta1, Beta3: a.Beta3,
		KeepV: beta2, AddV: 1 - beta2, CorrectV: 1 / (1 - math.Pow(beta2, float64(m.Step))), Epsilon: a.Epsilon}
	for i, x := range a.States() {
		switch x.Name {
		case "m":
			o.M = m.States[i]
		case "max":
			o.Max = m.States[i]
		case "slow":
			o.Slow = m.States[i]
		}
	}
	a.fill(o, a.Options, m)
	s.Launch(o)
}

// corrected is the rate of an average with decay beta after so many steps.
func corrected(rate, beta float64, step int) float64 {
	return rate / (1 - math.Pow(beta, float64(step)))
}

// adam has its decay in the gradient (L2; arXiv 1412.6980).
func adam(a *compute.Adaptive, o Options, m Move) {
	a.L2, a.RateM = m.Decay, corrected(m.Rate, o.Beta1, m.Step)
}

// amsgrad divides by the largest square average so far (Reddi et al., arXiv 1904.09237), with decoupled decay.
func amsgrad(a *compute.Adaptive, o Options, m Move) {
	a.Shrink, a.RateM = m.Rate*m.Decay, corrected(m.Rate, o.Beta1, m.Step)
}

// nadam is Adam with Nesterov's momentum (Dozat 2016), its momentum rising as there.
func nadam(a *compute.Adaptive, o Options, m Move) {
	product := 1.0
	for k := 1; k <= m.Step && product > 0; k++ { // it is soon too small for any more
		product *= nadamMomentum(o.Beta1, k)
	}
	now, next := nadamMomentum(o.Beta1, m.Step), nadamMomentum(o.Beta1, m.Step+1)
	a.L2 = m.Decay
	a.RateG, a.RateM = m.Rate*(1-now)/(1-product), m.Rate*next/(1-product*next)
}

// nadamMomentum is the momentum of step k; its decay 0.004 is PyTorch's.
func nadamMomentum(beta1 float64, k int) float64 {
	return beta1 * (1 - 0.5*math.Pow(0.96, float64(k)*0.004))
}

// radam steps without squares until there are enough of them (Liu et al., arXiv 1908.03265).
func radam(a *compute.Adaptive, o Options, m Move) {
	a.L2, a.RateM = m.Decay, corrected(m.Rate, o.Beta1, m.Step)
	beta2 := a.KeepV
	power, limit := math.Pow(beta2, float64(m.Step)), 2/(1-beta2)-1
	length := limit - 2*float64(m.Step)*power/(1-power)
	if length <= 5 {
		a.Flat = true
		return
	}
	a.RateM *= math.Sqrt((length-4)*(length-2)*limit/((limit-4)*(limit-2)*length)) * math.Sqrt(1-power)
	a.CorrectV = 1
}

// ademamix adds a slow mean (Pagliardini et al., arXiv 2409.03137).
func ademamix(a *compute.Adaptive, o Options, m Move) {
	a.Shrink, a.RateM, a.RateSlow = m.Rate*m.Decay, corrected(m.Rate, o.Beta1, m.Step), m.Rate*o.SlowWeight
}

// rmsprop is Adam without a mean and without corrections (Hinton 2012).
func rmsprop(a *compute.Adaptive, _ Options, m Move) {
	a.L2, a.RateG, a.CorrectV = m.Decay, m.Rate, 1
}

// adagrad adds squares up (Duchi et al. 2011).
func adagrad(a *compute.Adaptive, _ Options, m Move) {
	a.L2, a.RateG, a.CorrectV, a.KeepV, a.AddV = m.Decay, m.Rate, 1, 1, 1
}
