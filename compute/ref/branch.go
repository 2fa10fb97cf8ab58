package ref

import "lian/compute"

var _ = provides(branch)

func branch(o *compute.Branch) error {
	if o.Norm != nil {
		if err := rmsnorm(o.Norm); err != nil {
			return err
		}
	}
	for _, p := range o.Products {
		if p == nil {
			continue
		}
		if err := matmul(p); err != nil {
			return err
		}
	}
	if o.Gate != nil {
		return gated(o.Gate)
	}
	return nil
}
