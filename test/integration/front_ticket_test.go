//go:build integration && (amd64 || arm64)

package integration

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	pkghook "seccomp-hook/pkg/hook"
	"seccomp-hook/pkg/install"
	"seccomp-hook/pkg/install/live"
	"seccomp-hook/pkg/runtime"
)

// frontAlone makes a front with a stub in the place of the Go program, so that
// it is seen when the front leaves an exec to that one.
func frontAlone(t testing.TB) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), runtime.Name)
	copyProgram(t, Product(t, "seccomp-runc"), path)
	must(t, os.WriteFile(filepath.Join(filepath.Dir(path), "seccomp-hook-runtime"), []byte("#!/bin/sh\necho deferred\n"), 0o755))
	for _, dir := range []string{filepath.Dir(path), filepath.Dir(filepath.Dir(path))} {
		must(t, os.Chmod(dir, 0o755)) // the stub is anybody's
	}
	return path
}

// by is the container under another program; its own one deletes it.
func (c *Container) by(rt Runtime) *Container {
	other := *c
	other.Runtime = rt
	return &other
}

// TestFrontTicket: an exec by the ticket alone has the container's filter, the
// same program and only that, and is otherwise what it is without.
func TestFrontTicket(t *testing.T) {
	eachFront(t, func(t *testing.T, plain, front Runtime) {
		path := frontAlone(t)
		alone := plain.Behind("alone", path, "--real-runtime", plain.Argv[0])
		for _, user := range []uint32{0, 1000} {
			for _, noNewPrivileges := range []bool{false, true} {
				t.Run(fmt.Sprintf("uid%d/nnp-%v", user, noNewPrivileges), func(t *testing.T) {
					b := NewBundle(t, User(user), NoNewPrivileges(noNewPrivileges), denying(t), Args("/bin/sleep", "1000000"), withTracer(plain))
					probe, first := b.Install(Probe.Path(t)), b.Install(First(nrUnshare).Path(t))
					c := b.Create(front)
					c.Start()
					waitReleased(t, c.PID())
					published := tree(t, filepath.Join(stateDir, c.ID))

					// crun takes neither from config.json for an exec.
					words := append([]string{probe}, probeArgs()...)
					native, alone := c.by(plain).Exec(words...), c.by(alone)
					got := alone.Exec(words...)
					wantSame(t, native.Lines(), got.Lines())
					if got.Code != 0 || got.Stderr != native.Stderr {
						t.Errorf("%s, without a filter: %s", got, native)
					}
					if r := alone.Exec(first); r.Code != denyErrno {
						t.Errorf("the first instruction got %s", r)
					}

					file := filepath.Join(b.Dir, "exec.pid")
					if r := alone.Command("exec", "--detach", "--pid-file", file, c.ID, probe, "pause"); r.Code != 0 {
						t.Fatal(r)
					}
					text, err := os.ReadFile(file)
					must(t, err)
					pid, err := strconv.Atoi(string(text))
					must(t, err)
					waitReleased(t, pid)
					of := func(pid int) []live.Program {
						t.Helper()
						programs, err := live.Programs(pid)
						must(t, err)
						return programs
					}
					if diff := cmp.Diff(of(c.PID()), of(pid)); diff != "" {
						t.Errorf("(-init +exec)\n%s", diff)
					}
					must(t, unix.Kill(pid, unix.SIGKILL))

					wantNobody(t, path)
					if diff := cmp.Diff(published, tree(t, filepath.Join(stateDir, c.ID))); diff != "" {
						t.Errorf("what is published has changed (-before +after)\n%s", diff)
					}
				})
			}
		}
	})
}

// tree returns the files of a directory.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		must(t, err)
		files[e.Name()] = string(text)
	}
	return files
}

// TestFrontTicketParallel: many at a time, each first instruction meets the
// filter, and no follower is left.
func TestFrontTicketParallel(t *testing.T) {
	const times, atATime = 200, 8
	for _, rt := range []Runtime{Runc(t), Crun(t)} {
		t.Run(rt.Name, func(t *testing.T) {
			path := frontAlone(t)
			b := NewBundle(t, denying(t), Args("/bin/sleep", "1000000"))
			first := b.Install(First(nrUnshare).Path(t))
			c := b.Create(front(t, rt))
			c.Start()
			alone := c.by(rt.Behind("alone", path, "--real-runtime", rt.Argv[0]))
			work := make(chan struct{})
			var workers sync.WaitGroup
			for range atATime {
				workers.Go(func() {
					for range work {
						if r := alone.Exec(first); r.Code != denyErrno || r.Stdout != "" {
							t.Error(r)
						}
					}
				})
			}
			for range times {
				work <- struct{}{}
			}
			close(work)
			workers.Wait()
			wantNobody(t, path)
		})
	}
}

// TestFrontNothingInReach: a process that was executed by the ticket sees nothing of
// its follower: no tracer, no process, no descriptor.
func TestFrontNothingInReach(t *testing.T) {
	const script = `grep TracerPid /proc/self/status
echo fds: $(ls /proc/self/fd)
for comm in /proc/[0-9]*/comm; do read name <$comm; echo process $name:; done
env | sed 's/^/variable /; s/=/: /'`
	for _, rt := range []Runtime{Runc(t), Crun(t)} {
		t.Run(rt.Name, func(t *testing.T) {
			b := NewBundle(t, denying(t), Capabilities(append([]string{"CAP_SYS_PTRACE"}, DefaultCapabilities...)...), Args("/bin/sleep", "1000000"))
			c := b.Create(front(t, rt))
			c.Start()
			in := func(rt Runtime) map[string]string {
				r := c.by(rt).Exec("/bin/sh", "-c", script)
				if r.Code != 0 {
					t.Fatal(r)
				}
				return r.Lines()
			}
			native := in(rt)
			ours := in(rt.Behind("alone", frontAlone(t), "--real-runtime", rt.Argv[0]))
			if diff := cmp.Diff(native, ours); diff != "" || ours["TracerPid"] != "0" {
				t.Errorf("(-natively +ours)\n%s", diff)
			}
		})
	}
}

// TestFrontFollower: a follower holds on to nothing: a descriptor that somebody
// reads to its end, a directory, or a place among the runtime's children, for
// whose end crun waits.
func TestFrontFollower(t *testing.T) {
	for _, rt := range []Runtime{Runc(t), Crun(t)} {
		t.Run(rt.Name, func(t *testing.T) {
			path := frontAlone(t)
			b := NewBundle(t, denying(t), WithVictim(Probe, "pause"), withTracer(rt))
			c := b.Create(front(t, rt))
			c.Start()
			pid := filepath.Join(b.Dir, "exec.pid")
			cmd := c.by(rt.Behind("alone", path, "--real-runtime", rt.Argv[0])).
				command("exec", "--pid-file", pid, c.ID, b.Spec.Process.Args[0], "say", "up", "pause")
			out := tempFile(t)
			cmd.Stdout = out
			must(t, cmd.Start())
			Eventually(t, "the exec'd process", func() bool { info, err := out.Stat(); return err == nil && info.Size() > 0 })
			var followers []process
			for _, p := range processes() {
				if exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.pid)); exe == path {
					followers = append(followers, p)
				}
			}
			if len(followers) != 1 {
				t.Fatalf("followers: %v", followers)
			}
			f := followers[0]
			files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", f.pid))
			must(t, err)
			cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", f.pid))
			must(t, err)
			if len(files) > 0 || cwd != "/" || f.parent == cmd.Process.Pid {
				t.Errorf("it has %d files open, is in %s, and is the child of %d, where the runtime is %d", len(files), cwd, f.parent, cmd.Process.Pid)
			}
			var executed int
			Eventually(t, "the exec'd process's number", func() bool {
				text, _ := os.ReadFile(pid)
				executed, _ = strconv.Atoi(string(text))
				return executed > 0
			})
			must(t, unix.Kill(executed, unix.SIGKILL))
			if err := cmd.Wait(); exitCode(cmd.ProcessState) != 128+int(unix.SIGKILL) {
				t.Errorf("the exec: %v", err)
			}
			WaitExit(t, f.pid)
		})
	}
}

// TestFrontTicketRefused: a ticket that is not whole, not the product's, or not of this
// very container is not used; nor is a whole one where the front could not attach
// the filter. The Go program decides then. For anybody but root of the host it
// is the real runtime's alone.
func TestFrontTicketRefused(t *testing.T) {
	d := newDesk(t)
	d.want("as it was published", saidUsed)
	named := d.in(t)
	named.env = []string{"SECCOMP_HOOK_REAL_RUNTIME=" + d.argv[2]}
	named.want("by a runtime of the environment", saidUsed)

	t.Run("damaged", func(t *testing.T) {
		d := d.in(t)
		for at := range d.text {
			text := slices.Clone(d.text)
			text[at] ^= 1 << (at % 8)
			must(t, os.WriteFile(d.ticket, text, 0o600))
			d.want(fmt.Sprintf("byte %d of %d", at, len(text)), saidDeferred)
		}
		for _, size := range []int{0, 1, 7, 8, 15, 16, 31, 32, 39, 40, len(d.text) / 2, len(d.text) - len(d.root), len(d.text) - 1} {
			must(t, os.WriteFile(d.ticket, d.text[:size], 0o600))
			d.want(fmt.Sprintf("%d bytes of %d", size, len(d.text)), saidDeferred)
		}
		must(t, os.WriteFile(d.ticket, append(slices.Clone(d.text), 0), 0o600))
		d.want("a byte more", saidDeferred)
	})

	for _, tc := range []struct {
		name  string
		spoil func(d *desk)
	}{
		// Files that others could have made.
		{"another owner", func(d *desk) { must(d.t, os.Chown(d.ticket, 1000, 0)) }},
		{"writable by the group", func(d *desk) { must(d.t, os.Chmod(d.ticket, 0o620)) }},
		{"writable by others", func(d *desk) { must(d.t, os.Chmod(d.ticket, 0o602)) }},
		{"symbolic link", func(d *desk) { linked(d.t, d.ticket) }},
		{"symbolic link to the directory", func(d *desk) { linked(d.t, filepath.Dir(d.ticket)) }},
		{"directory", func(d *desk) { replaced(d.t, d.ticket, func() error { return os.Mkdir(d.ticket, 0o700) }) }},
		{"named pipe", func(d *desk) { replaced(d.t, d.ticket, func() error { return unix.Mkfifo(d.ticket, 0o600) }) }},
		{"none", func(d *desk) { must(d.t, os.Remove(d.ticket)) }},

		// The published filter that it stands for.
		{"no filter", func(d *desk) { must(d.t, os.Remove(d.record)) }},
		{"a longer filter", func(d *desk) { must(d.t, os.WriteFile(d.record, append(slices.Clone(d.filter), 0), 0o600)) }},
		{"a shorter filter", func(d *desk) { must(d.t, os.WriteFile(d.record, d.filter[1:], 0o600)) }},
		{"another owner's filter", func(d *desk) { must(d.t, os.Chown(d.record, 1000, 0)) }},
		{"a filter writable by others", func(d *desk) { must(d.t, os.Chmod(d.record, 0o602)) }},
		{"a symbolic link to the filter", func(d *desk) { linked(d.t, d.record) }},

		// Another init.
		{"another start", func(d *desk) { d.rename(d.root, d.init.PID, d.init.Start+1) }},
		{"another process", func(d *desk) {
			self, err := pkghook.InitOf(os.Getpid())
			must(d.t, err)
			d.rename(d.root, self.PID, d.init.Start)
		}},
		{"a process with the host's mounts", func(d *desk) {
			self, err := pkghook.InitOf(os.Getpid())
			must(d.t, err)
			d.rename(d.root, self.PID, self.Start)
		}},
		{"no process", func(d *desk) { d.rename(d.root, 0, d.init.Start) }},
		{"more behind the name", func(d *desk) { must(d.t, os.Rename(d.ticket, d.ticket+"-")) }},
		{"a name without a start", func(d *desk) {
			must(d.t, os.Rename(d.ticket, strings.TrimSuffix(d.ticket, fmt.Sprintf("-%d", d.init.Start))))
		}},

		// Another directory of the runtime's.
		{"another root, by name", func(d *desk) { d.rename("/elsewhere", d.init.PID, d.init.Start) }},
		{"another root, in the text", func(d *desk) { d.forge(func(f *forgery) { f.root = f.root[:len(f.root)-1] + "x" }) }},
		{"the beginning of the root", func(d *desk) { d.forge(func(f *forgery) { f.root = f.root[:len(f.root)-1] }) }},
		{"more than the root", func(d *desk) { d.forge(func(f *forgery) { f.root += "/" }) }},
		{"a null behind the root", func(d *desk) { d.forge(func(f *forgery) { f.root += "\x00" }) }},

		// What only whoever can write to the directory could have made.
		{"another version", func(d *desk) { d.forge(func(f *forgery) { f.magic[7]++ }) }},
		{"another filter's size", func(d *desk) { d.forge(func(f *forgery) { f.filter++ }) }},
		{"no instruction", func(d *desk) { d.forge(func(f *forgery) { f.count, f.program = 0, nil }) }},
		{"an instruction less", func(d *desk) { d.forge(func(f *forgery) { f.count-- }) }},
		{"an instruction more", func(d *desk) { d.forge(func(f *forgery) { f.count++ }) }},
		{"as many as there are numbers", func(d *desk) { d.forge(func(f *forgery) { f.count = 1<<32 - 1 }) }},
		{"more than the kernel takes", func(d *desk) {
			d.forge(func(f *forgery) { f.count, f.program = 4097, slices.Repeat(f.program[:8], 4097) })
		}},
		{"longer than any", func(d *desk) { d.forge(func(f *forgery) { f.root += strings.Repeat("/", 1<<16) }) }},
		{"a flag that the kernel refuses", func(d *desk) { d.forge(func(f *forgery) { f.flags = 1 << 15 }) }},
		{"a program that the kernel refuses", func(d *desk) {
			d.forge(func(f *forgery) { f.program = append(f.program[:len(f.program)-8], 0xff, 0xff, 0, 0, 0, 0, 0, 0) })
		}},

		// The call.
		// The runtime has another container by the id.
		{"another init in the runtime's record", func(d *desk) { d.restate(`"init_process_pid":`, `"init_process_pid":1`) }},
		{"another start in the runtime's record", func(d *desk) { d.restate(`"init_process_start":`, `"init_process_start":1`) }},
		{"no record of the runtime's", func(d *desk) { d.restate("", "") }},
		{"a relative root", func(d *desk) {
			d.argv[4] = filepath.Base(d.root)
			d.forge(func(f *forgery) { f.root = d.argv[4] })
			d.rename(d.argv[4], d.init.PID, d.init.Start)
		}},
		{"another spelling of the root", func(d *desk) { d.argv[4] += "/" }},
		{"no id", func(d *desk) { d.argv[6] = "" }},
		{"the directory", func(d *desk) { d.argv[6] = "." }},
		{"the directory above", func(d *desk) { d.argv[6] = ".." }},
		{"a path", func(d *desk) { d.argv[6] = "./" + d.argv[6] }},
		{"a runtime that may not execute", func(d *desk) {
			other := filepath.Join(filepath.Dir(d.argv[2]), "runsc")
			copyProgram(d.t, d.argv[2], other)
			d.argv[2] = other
		}},
		{"another configuration", func(d *desk) { d.env = []string{"SECCOMP_HOOK_CONFIG=/etc/passwd"} }},
		{"root of a user namespace with all ids", func(d *desk) { d.namespace(1<<32 - 1) }},
		{"traced already", func(d *desk) { d.argv = append([]string{program(d.t, "strace"), "-f", "-o", "/dev/null"}, d.argv...) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := d.in(t)
			d.want("before", saidUsed)
			tc.spoil(d)
			d.want(tc.name, saidDeferred)
		})
	}
	for _, tc := range []struct {
		name  string
		other func(d *desk)
	}{
		{"another user", func(d *desk) { d.attributes.Credential = &syscall.Credential{Uid: 1000, Gid: 1000} }},
		{"root of a user namespace", func(d *desk) { d.namespace(1) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := d.in(t)
			tc.other(d)
			d.want(tc.name, saidAlone)
		})
	}
	wantNobody(t, d.argv[0])

	d = d.in(t)
	d.want("before", saidUsed)
	d.c.Kill("KILL")
	d.c.Wait()
	d.want("init has ended", saidDeferred)
}

// TestFrontTicketKernel: where the kernel refuses what a ticket says, the front
// lets go of the follower, and the Go program does the exec from the filter that is
// published.
func TestFrontTicketKernel(t *testing.T) {
	d := newDesk(t)
	d.forge(func(f *forgery) { f.flags = 1 << 15 })
	first := d.c.Bundle.Install(First(nrUnshare).Path(t))
	if r := d.c.Exec(first); r.Code != denyErrno {
		t.Error(r)
	}
}

// TestFrontStateRoot: where the real runtime keeps its containers the front
// knows as pkg/runtime does.
func TestFrontStateRoot(t *testing.T) {
	d := newDesk(t)
	programs, err := live.Programs(d.c.PID())
	must(t, err)
	folder := t.TempDir()
	given, user := filepath.Join(folder, "given"), filepath.Join(folder, "user")
	// record makes the container known to a runtime in a folder.
	record := func(t *testing.T, root string) {
		dir := filepath.Join(root, d.c.ID)
		must(t, os.MkdirAll(dir, 0o700))
		t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
		must(t, os.WriteFile(filepath.Join(dir, "state.json"), fmt.Appendf(nil, `{"init_process_pid":%d,"init_process_start":%d}`, d.init.PID, d.init.Start), 0o600))
		must(t, os.WriteFile(filepath.Join(dir, "status"), fmt.Appendf(nil, "{\n    \"pid\": %d,\n    \"process-start-time\": %d\n}", d.init.PID, d.init.Start), 0o600))
	}
	for _, tc := range []struct {
		name, runtime string
		flags, env    []string
		want          string
	}{
		{"runc", "runc", nil, nil, "/run/runc"},
		{"crun", "crun", nil, nil, "/run/crun"},
		{"docker-runc", "docker-runc", nil, nil, "/run/runc"},
		{"crun-1.20", "crun-1.20", nil, nil, "/run/crun"},
		{"--root", "crun", []string{"--root", given}, []string{"XDG_RUNTIME_DIR=" + user}, given},
		{"--root=", "runc", []string{"--root=" + given}, nil, given},
		{"runc of root has no directory of the user's", "runc", nil, []string{"XDG_RUNTIME_DIR=" + user}, "/run/runc"},
		{"crun has", "crun", nil, []string{"XDG_RUNTIME_DIR=" + user}, user + "/crun"},
		{"an empty one", "crun", nil, []string{"XDG_RUNTIME_DIR="}, "/run/crun"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := d.in(t)
			record(t, tc.want)
			must(t, pkghook.PublishTicket("", d.c.ID, d.init, tc.want, install.Filter{Program: programs[0].Program}))
			must(t, os.Remove(d.ticket))
			fake := filepath.Join(filepath.Dir(d.argv[2]), tc.runtime)
			copyProgram(t, d.argv[2], fake)
			d.argv = slices.Concat([]string{d.argv[0], d.argv[1], fake}, tc.flags, d.argv[5:])
			d.env = tc.env
			d.want(tc.name, saidUsed)
		})
	}
	t.Run("a link", func(t *testing.T) {
		d := d.in(t)
		record(t, "/run/crun")
		must(t, pkghook.PublishTicket("", d.c.ID, d.init, "/run/crun", install.Filter{Program: programs[0].Program}))
		must(t, os.Remove(d.ticket))
		crun, link := filepath.Join(t.TempDir(), "crun"), filepath.Join(t.TempDir(), "runc")
		copyProgram(t, d.argv[2], crun)
		must(t, os.Symlink(crun, link))
		d.argv = slices.Concat([]string{d.argv[0], d.argv[1], link}, d.argv[5:])
		d.want("a link to crun", saidUsed)
	})
}

// desk is where tickets are shown: a running container, a front, and stubs
// in the place of the real runtime and of the Go program, which say whether the
// ticket was used.
type desk struct {
	t              testing.TB
	c              *Container
	init           pkghook.Init
	root           string // the real runtime's
	ticket, record string // paths
	text, filter   []byte // what they hold
	argv           []string
	env            []string
	attributes     syscall.SysProcAttr
}

// restate replaces a part of the runtime's record of the container; with "" the
// record is away.
func (d *desk) restate(part, by string) {
	d.t.Helper()
	path := filepath.Join(d.root, d.c.ID, "state.json")
	text, err := os.ReadFile(path)
	must(d.t, err)
	d.t.Cleanup(func() { must(d.t, os.WriteFile(path, text, 0o600)) })
	if part == "" {
		must(d.t, os.Remove(path))
		return
	}
	changed := strings.Replace(string(text), part, by, 1)
	if changed == string(text) {
		d.t.Fatalf("%s does not have %s", path, part)
	}
	must(d.t, os.WriteFile(path, []byte(changed), 0o600))
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	b := NewBundle(t, denying(t), Args("/bin/sleep", "1000000"))
	c := b.Create(front(t, Runc(t)))
	c.Start()
	waitReleased(t, c.PID())
	d := &desk{t: t, c: c, root: c.State}
	var err error
	d.init, err = pkghook.InitOf(c.PID())
	must(t, err)
	d.ticket = filepath.Join(stateDir, c.ID, ticketName(d.root, d.init.PID, d.init.Start))
	d.record = filepath.Join(stateDir, c.ID, recordName(d.init.PID, d.init.Start))
	d.text, err = os.ReadFile(d.ticket)
	must(t, err)
	d.filter, err = os.ReadFile(d.record)
	must(t, err)
	path := frontAlone(t)
	stub := filepath.Join(filepath.Dir(path), "runc")
	must(t, os.WriteFile(stub, []byte(`#!/bin/sh
while read -r name value; do
	[ "$name" != TracerPid: ] || [ "$value" = 0 ] || followed=1
done </proc/self/status
[ -z "$followed" ] && echo alone || echo used
`), 0o755))
	d.argv = []string{path, "--real-runtime", stub, "--root", d.root, "exec", c.ID, "/bin/true"}
	return d
}

// in returns the desk as it was at first, for another test.
func (d *desk) in(t testing.TB) *desk {
	t.Helper()
	dir := filepath.Dir(d.ticket)
	must(t, os.RemoveAll(dir))
	must(t, os.Mkdir(dir, 0o700))
	must(t, os.WriteFile(d.ticket, d.text, 0o600))
	must(t, os.WriteFile(d.record, d.filter, 0o600))
	other := *d
	other.t, other.argv = t, slices.Clone(d.argv)
	return &other
}

func (d *desk) exec() (said string) {
	d.t.Helper()
	cmd := command(d.t, d.argv[0], d.argv[1:]...)
	cmd.Env = append(os.Environ(), d.env...)
	cmd.SysProcAttr = &d.attributes
	cmd.Dir = d.c.Bundle.Dir
	return run(d.t, cmd).Stdout
}

// What the stubs say that an exec comes to: the ticket is used, the Go program is
// to decide, or it is the real runtime's alone.
const (
	saidUsed     = "used\n"
	saidDeferred = "deferred\n"
	saidAlone    = "alone\n"
)

func (d *desk) want(what, want string) {
	d.t.Helper()
	if said := d.exec(); said != want {
		d.t.Errorf("%s: it is %q, want %q", what, said, want)
	}
}

// namespace has the front run in a user namespace with so many ids.
func (d *desk) namespace(size int) {
	d.attributes.Cloneflags = unix.CLONE_NEWUSER
	ids := []syscall.SysProcIDMap{{Size: size}}
	d.attributes.UidMappings, d.attributes.GidMappings = ids, ids
}

// rename gives the ticket and the filter the names of another root or init.
func (d *desk) rename(root string, pid int, start uint64) {
	d.t.Helper()
	dir := filepath.Dir(d.ticket)
	must(d.t, os.Rename(d.ticket, filepath.Join(dir, ticketName(root, pid, start))))
	must(d.t, os.Rename(d.record, filepath.Join(dir, recordName(pid, start))))
}

// forgery is a ticket's text, but for the sum.
type forgery struct {
	magic                      []byte
	filter, flags, count, zero uint32
	program                    []byte
	root                       string
}

// forge writes a ticket with a right sum.
func (d *desk) forge(edit func(*forgery)) {
	d.t.Helper()
	const head = 32
	word := func(at int) uint32 { return binary.NativeEndian.Uint32(d.text[at:]) }
	f := &forgery{magic: slices.Clone(d.text[:8]), filter: word(16), flags: word(20), count: word(24), zero: word(28)}
	end := head + 8*int(f.count)
	f.program, f.root = slices.Clone(d.text[head:end]), string(d.text[end:])
	if f.root != d.root || int(f.filter) != len(d.filter) {
		d.t.Fatalf("a ticket is not what it was: %+v", f)
	}
	edit(f)
	var text []byte
	for _, n := range []uint32{f.filter, f.flags, f.count, f.zero} {
		text = binary.NativeEndian.AppendUint32(text, n)
	}
	text = append(append(text, f.program...), f.root...)
	sum := binary.NativeEndian.AppendUint64(f.magic, fnv1a(text))
	must(d.t, os.WriteFile(d.ticket, append(sum, text...), 0o600))
}

func fnv1a(text []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(text)
	return h.Sum64()
}

func ticketName(root string, pid int, start uint64) string {
	return fmt.Sprintf("exec-%x-%d-%d", fnv1a([]byte(root)), pid, start)
}

func recordName(pid int, start uint64) string { return fmt.Sprintf("filter-%d-%d", pid, start) }

// linked replaces a file by a symbolic link to it.
func linked(t testing.TB, path string) {
	t.Helper()
	moved := filepath.Join(t.TempDir(), "moved")
	must(t, exec.Command("mv", path, moved).Run()) // across file systems
	must(t, os.Symlink(moved, path))
}

// replaced replaces a file by another thing.
func replaced(t testing.TB, path string, by func() error) {
	t.Helper()
	must(t, os.Remove(path))
	must(t, by())
}
