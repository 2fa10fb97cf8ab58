package step

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"lian/config"
	"lian/engine"
)

// settings tell whether replies in a file were made as those to come will be: model, sampling, constraint.
func (g *generation) settings() string {
	o := g.o
	o.Out, o.Prompts, o.Parallel, o.Drafting, o.CacheFolder = "", "", 0, engine.Drafting{}, engine.CacheFolder{} // on which no token depends
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s", g.m.Name, config.Hash(&o), g.source))
	return hex.EncodeToString(sum[:6])
}

// replies is a file of replies as JSON lines, which grows line by line.
type replies struct {
	file     *os.File
	settings string
	synced   time.Time
}

func openReplies(path, settings string) (*replies, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	return &replies{f, settings, time.Now()}, nil
}

// resume says how many of the jobs are in the file already. Lines of other prompts or settings are an error, and stay; a line
// that a kill cut short goes.
func (f *replies) resume(jobs []job, prompts []Prompt) (done int, err error) {
	text, err := io.ReadAll(f.file)
	if err != nil {
		return 0, err
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	for line := range bytes.Lines(text[:whole]) {
		var r Generated
		if err := json.Unmarshal(line, &r); err != nil {
			return 0, f.not(done, fmt.Sprintf("is no reply (%v)", err))
		}
		switch {
		case done >= len(jobs):
			return 0, f.not(done, fmt.Sprintf("is one more reply than there are to make (%d)", len(jobs)))
		case r.Settings != f.settings:
			return 0, f.not(done, "was made with another model or other settings")
		case r.Index != jobs[done].prompt || r.Sample != jobs[done].sample || r.Prompt != prompts[jobs[done].prompt].Text:
			return 0, f.not(done, "is the reply to another prompt than "+prompts[jobs[done].prompt].Place)
		}
		done++
	}
	if err := f.file.Truncate(int64(whole)); err != nil {
		return 0, err
	}
	_, err = f.file.Seek(int64(whole), io.SeekStart)
	return done, err
}

func (f *replies) not(line int, why string) error {
	return fmt.Errorf("--out %s:%d: %s; name another file, or remove this one", f.file.Name(), line+1, why)
}

// syncEvery is how much work a power cut may cost.
const syncEvery = time.Second

func (f *replies) write(r Generated) error {
	r.Settings = f.settings
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return err
	}
	if _, err := f.file.Write(line.Bytes()); err != nil {
		return err
	}
	if time.Since(f.synced) < syncEvery {
		return nil
	}
	f.synced = time.Now()
	return f.file.Sync()
}

// Close keeps what was written.
func (f *replies) Close() error { return errors.Join(f.file.Sync(), f.file.Close()) }
