//go:build libseccomp

package differential

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/reference"
)

// libseccomp does not come back from some profiles, and cannot be stopped then:
// it runs in a process of its own, which is this test's executable again.

const workerVariable = "DIFFERENTIAL_WORKER"

// patience is how long libseccomp may take for a small profile. It needs a few
// milliseconds.
const patience = 10 * time.Second

// errHangs says that libseccomp did not come back.
var errHangs = errors.New("libseccomp does not come back")

type request struct {
	Object specs.LinuxSeccomp
	Native string
}

type response struct {
	Program  bpf.Program
	Listing  string
	Conflict bool
	Error    string
}

// work answers requests until there are no more.
func work(r io.Reader, w io.Writer) {
	requests, responses := json.NewDecoder(r), json.NewEncoder(w)
	for {
		var q request
		if requests.Decode(&q) != nil {
			return
		}
		if responses.Encode(answer(&q)) != nil {
			return
		}
	}
}

func answer(q *request) response {
	native, _ := arch.ByName(q.Native)
	var p response
	var err error
	if p.Program, err = reference.Compile(&q.Object, native); err == nil {
		p.Listing, err = reference.Listing(&q.Object, native)
	}
	if err != nil {
		p.Error = err.Error()
		p.Conflict = errors.Is(err, syscall.EEXIST)
	}
	return p
}

// worker is the process. It ends with its standard input, that is with the test.
type worker struct {
	command   *exec.Cmd
	requests  *json.Encoder
	responses *json.Decoder
}

var (
	current     *worker
	currentLock sync.Mutex
)

func startWorker() (*worker, error) {
	w := &worker{command: exec.Command(os.Args[0])}
	w.command.Env = append(os.Environ(), workerVariable+"=1")
	w.command.Stderr = os.Stderr
	stdin, err := w.command.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := w.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.requests, w.responses = json.NewEncoder(stdin), json.NewDecoder(stdout)
	return w, w.command.Start()
}

func (w *worker) kill() {
	_ = w.command.Process.Kill()
	_ = w.command.Wait()
}

// ask returns libseccomp's program and listing for an object, errHangs where it
// does not come back.
func ask(t *testing.T, object *specs.LinuxSeccomp, native *arch.Arch) (response, error) {
	t.Helper()
	currentLock.Lock()
	defer currentLock.Unlock()
	if current == nil {
		w, err := startWorker()
		if err != nil {
			t.Fatal(err)
		}
		current = w
	}
	w := current
	if err := w.requests.Encode(request{*object, native.Name}); err != nil {
		t.Fatal(err)
	}
	type result struct {
		response
		err error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		r.err = w.responses.Decode(&r.response)
		done <- r
	}()
	select {
	case r := <-done:
		if r.err == nil {
			return r.response, nil
		}
		w.kill()
		current = nil
		return response{}, fmt.Errorf("libseccomp ended its process: %w", r.err)
	case <-time.After(patience):
		w.kill()
		<-done
		current = nil
		return response{}, errHangs
	}
}
