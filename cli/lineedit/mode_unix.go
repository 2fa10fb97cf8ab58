//go:build linux || darwin || freebsd || netbsd || openbsd

package lineedit

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

const canEdit = true

// mode is how a terminal was found, and how it is while texts are edited.
type mode struct {
	file         *os.File
	found, taken unix.Termios
}

// takeOver makes a terminal give letters as they are typed, Enter as \r, without showing them. Ctrl-C and Ctrl-Z stay signals.
func takeOver(file *os.File) (*mode, error) {
	found, err := unix.IoctlGetTermios(int(file.Fd()), getTermios)
	if err != nil {
		return nil, err
	}
	m := &mode{file: file, found: *found, taken: *found}
	m.taken.Lflag &^= unix.ICANON | unix.ECHO | unix.IEXTEN
	m.taken.Iflag &^= unix.ICRNL | unix.INLCR | unix.IXON
	m.taken.Cc[unix.VMIN], m.taken.Cc[unix.VTIME] = 1, 0
	return m, m.again()
}

func (m *mode) again() error   { return unix.IoctlSetTermios(int(m.file.Fd()), setTermios, &m.taken) }
func (m *mode) restore() error { return unix.IoctlSetTermios(int(m.file.Fd()), setTermios, &m.found) }

// watchSize tells when the terminal has another size (false), and when the program goes on after Ctrl-Z (true).
func watchSize() (changed <-chan bool, stop func()) {
	signals, out, done := make(chan os.Signal, 1), make(chan bool), make(chan struct{})
	signal.Notify(signals, syscall.SIGWINCH, syscall.SIGCONT)
	go func() {
		for {
			select {
			case s := <-signals:
				select {
				case out <- s == syscall.SIGCONT:
				case <-done:
					return
				}
			case <-done:
				return
			}
		}
	}()
	return out, func() {
		signal.Stop(signals)
		close(done)
	}
}
