package step

import (
	"path/filepath"

	"lian/event"
	"lian/train"
	"lian/train/alert"
)

// KindTrainFailed is told of a training that ended before its last step; the payload is the error's text.
const KindTrainFailed = "train.failed"

// withAlerts adds those who are told far away to a run's events. Call end when the training has ended, with its error.
func withAlerts(o alert.Options, dir string, events event.Sink) (_ event.Sink, end func(error), err error) {
	if err := o.Check(); err != nil {
		return nil, nil, err
	}
	s := alert.New(o, filepath.Base(dir), []string{train.KindRefused, train.KindHang, train.KindSaveFailed, KindTrainFailed}, events)
	return event.Tee(events, s), func(err error) {
		if err != nil {
			s.Emit(KindTrainFailed, err.Error())
		}
		s.Close()
	}, nil
}
