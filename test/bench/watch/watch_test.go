//go:build linux

package watch

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/compile"
	"seccomp-hook/pkg/install/live"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/watch"
)

// callsEnv makes the test binary the measured process: it makes the calls that
// it is asked for on its standard input, and writes how long they took, in
// nanoseconds.
const callsEnv = "BENCH_WATCH_CALLS"

func TestMain(m *testing.M) {
	if os.Getenv(callsEnv) != "" {
		if err := calls(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// calls installs Docker's default profile, and makes calls that the kernel
// serves from its cache, and calls that run the program.
func calls() error {
	runtime.LockOSThread()
	profile, err := spec.Builtin("builtin:docker")
	if err != nil {
		return err
	}
	policy, err := profile.Resolve(spec.Target{})
	if err != nil {
		return err
	}
	p, err := compile.Compile(policy, compile.Options{})
	if err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	fprog := struct {
		length uint16
		filter unsafe.Pointer
	}{uint16(len(p)), unsafe.Pointer(unsafe.SliceData(p))}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&fprog))); errno != 0 {
		return errno
	}
	runtime.KeepAlive(p)
	fmt.Println("ready")
	for {
		var kind string
		var n int
		if _, err := fmt.Scan(&kind, &n); err != nil {
			return nil //nolint:nilerr // the end of the input
		}
		nr, arg := uintptr(unix.SYS_GETPPID), uintptr(0)
		switch kind {
		case "argument":
			nr, arg = unix.SYS_PERSONALITY, 0xffffffff // asks, and changes nothing
		case "denied":
			nr = unix.SYS_REBOOT
		}
		start, err := threadTime()
		if err != nil {
			return err
		}
		for range n {
			_, _, _ = unix.RawSyscall(nr, arg, 0, 0)
		}
		end, err := threadTime()
		if err != nil {
			return err
		}
		fmt.Println(end - start)
	}
}

// threadTime is the thread's own time in nanoseconds, which is not that of others
// on a busy machine. Of a traced call it does not count what the tracer does
// meanwhile.
func threadTime() (int64, error) {
	var t unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t)
	return t.Nano(), err
}

// process is the measured process.
type process struct {
	cmd *exec.Cmd
	in  *os.File
	out *os.File
}

func start(b *testing.B, under ...string) *process {
	b.Helper()
	argv := append(slices.Clone(under), "/proc/self/exe")
	if len(under) > 0 {
		self, err := os.Executable()
		if err != nil {
			b.Fatal(err)
		}
		argv[len(argv)-1] = self
		if _, err := exec.LookPath(argv[0]); err != nil {
			return nil
		}
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), callsEnv+"=1", "GOMAXPROCS=1")
	r, in, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	out, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout = r, w
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID} // as a container has one
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	r.Close()
	w.Close()
	b.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	p := &process{cmd: cmd, in: in, out: out}
	var ready string
	if _, err := fmt.Fscan(out, &ready); err != nil {
		b.Fatal(err)
	}
	return p
}

func (p *process) call(b *testing.B, kind string, n int) float64 {
	b.Helper()
	if _, err := fmt.Fprintln(p.in, kind, n); err != nil {
		b.Fatal(err)
	}
	var took string
	if _, err := fmt.Fscan(p.out, &took); err != nil {
		b.Fatal(err)
	}
	ns, err := strconv.ParseInt(took, 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return float64(ns) / float64(n)
}

// empty attaches programs that do nothing to tracepoints.
func empty(b *testing.B, tracepoints ...string) (detach func()) {
	b.Helper()
	var closers []func() error
	for _, at := range tracepoints {
		p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
			Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: at, License: "GPL",
			Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
		})
		if err != nil {
			b.Fatal(err)
		}
		l, err := link.AttachTracing(link.TracingOptions{Program: p})
		if err != nil {
			b.Fatal(err)
		}
		closers = append(closers, l.Close, p.Close)
	}
	return func() {
		for _, c := range closers {
			_ = c()
		}
	}
}

func watched(b *testing.B, pid int) (detach func()) {
	b.Helper()
	programs, err := live.Programs(pid)
	if err != nil {
		b.Fatal(err)
	}
	reader, err := live.NewReader()
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	state, err := reader.Read(pid)
	if err != nil {
		b.Fatal(err)
	}
	cache, _ := state.Cache()
	scope, err := watch.Of(pid)
	if err != nil {
		b.Fatal(err)
	}
	w, err := watch.New(watch.Options{
		Scope: scope, Programs: []bpf.Program{programs[0].Program}, Cache: cache,
		Filter: state.Filters[0].Address, Samples: 4,
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := w.Start(true); err != nil {
		b.Fatal(err)
	}
	return func() { _ = w.Close() }
}

// perfTrace has `perf trace -s` watch a process, where there is one.
func perfTrace(b *testing.B, pid int) (detach func()) {
	b.Helper()
	if _, err := exec.LookPath("perf"); err != nil {
		return nil
	}
	cmd := exec.Command("perf", "trace", "-s", "-p", strconv.Itoa(pid), "-o", "/dev/null")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	// It has opened a ring for each thread and CPU when it maps one.
	for !strings.Contains(mapsOf(cmd.Process.Pid), "perf_event") {
		if cmd.ProcessState != nil {
			b.Fatal("perf has ended")
		}
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond)
	return func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	}
}

func mapsOf(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	return string(text)
}

// BenchmarkWatch reports nanoseconds for a call with each way of watching: the
// medians of rounds in which every way has its turn, of the best of ten tries each,
// because others use the machine's CPUs and caches too.
func BenchmarkWatch(b *testing.B) {
	const tries, perTry, perSlow = 10, 4000, 200
	kinds := []string{"cached", "argument", "denied"}
	plain := start(b)
	strace := start(b, "strace", "-f", "-c", "-o", "/dev/null")
	ways := []string{"none", "one", "two", "watch", "perf", "strace"}
	times := map[string][]float64{}
	for b.Loop() {
		for _, way := range ways {
			var detach func()
			p, n := plain, perTry
			switch way {
			case "one":
				detach = empty(b, "sys_exit")
			case "two":
				detach = empty(b, "sys_enter", "sys_exit")
			case "perf":
				if detach = perfTrace(b, plain.cmd.Process.Pid); detach == nil {
					continue
				}
			case "watch":
				detach = watched(b, plain.cmd.Process.Pid)
			case "strace":
				if p, n = strace, perSlow; strace == nil {
					continue
				}
			}
			for _, kind := range kinds {
				name := way + "-" + kind
				best := p.call(b, kind, n)
				for range tries - 1 {
					best = min(best, p.call(b, kind, n))
				}
				times[name] = append(times[name], best)
			}
			if detach != nil {
				detach()
			}
		}
	}
	b.ReportMetric(0, "ns/op") // of all together: means nothing
	for name, list := range times {
		slices.Sort(list)
		b.ReportMetric(list[len(list)/2], name+"-ns")
	}
}
