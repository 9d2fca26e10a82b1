//go:build integration

package integration

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// decompiled is what decompile --format json writes.
type decompiled struct {
	Equal   bool            `json:"equal"`
	Profile json.RawMessage `json:"profile"`
	Losses  []struct {
		Arch      string `json:"arch"`
		Calls     string `json:"calls"`
		First     uint32 `json:"first"`
		Program   string `json:"program"`
		Profile   string `json:"profile"`
		Reason    string `json:"reason"`
		Undecided bool   `json:"undecided"`
		At        *struct {
			Instruction string `json:"instruction"`
		} `json:"at"`
	} `json:"losses"`
}

// decompile writes what is installed as a profile, and returns its file.
func decompile(t *testing.T, args ...string) (*decompiled, string) {
	t.Helper()
	r := MustCommand(t, Product(t, "seccomp-hook"), append([]string{"decompile", "--lossy", "--format", "json"}, args...)...)
	d := new(decompiled)
	must(t, json.Unmarshal([]byte(r.Stdout), d))
	file := filepath.Join(t.TempDir(), "profile.json")
	must(t, os.WriteFile(file, d.Profile, 0o600))
	return d, file
}

// TestDecompileContainers: what runc, crun and this project have installed for a
// container comes back as the container's profile, by its id and by its process.
// crun's has no -ENOSYS stub, so it is the same but for the numbers above all
// names.
func TestDecompileContainers(t *testing.T) {
	for _, rt := range []Runtime{Runc(t), Crun(t)} {
		for _, rt := range []Runtime{rt, front(t, rt)} {
			t.Run(rt.Name, func(t *testing.T) {
				b := NewBundle(t, denying(t), WithVictim(Probe, "pause"))
				must(t, os.WriteFile(filepath.Join(b.Dir, "given.json"), []byte(denyProfile), 0o600))
				b.Save()
				c := b.NewContainer(rt)
				c.State = "/run/runc"
				crun := strings.Contains(rt.Name, "crun")
				if crun {
					c.State = "/run/crun"
				}
				if r := c.Command("run", "--detach", "--bundle", b.Dir, "--pid-file", c.pidPath(), c.ID); r.Code != 0 {
					t.Fatal(r)
				}
				waitFiltered(t, c.PID())
				byID, profile := decompile(t, c.ID)
				byPID, _ := decompile(t, "--pid", strconv.Itoa(c.PID()))
				if string(byID.Profile) != string(byPID.Profile) {
					t.Errorf("by id %s\nby process %s", byID.Profile, byPID.Profile)
				}
				for _, l := range byID.Losses {
					if l.Undecided || l.First < 0x80000000 {
						t.Errorf("%+v", l)
					}
				}
				if r := Command(t, Product(t, "seccomp-hook"), "verify", "--against", filepath.Join(b.Dir, "given.json"), profile); r.Code != 0 {
					t.Errorf("it is not the profile that was given: %s\n%s", r, byID.Profile)
				}
				c.Kill("KILL")
				c.Wait()
			})
		}
	}
	if r := Command(t, Product(t, "seccomp-hook"), "decompile", "no-such-container"); r.Code != 1 || !strings.Contains(r.Stderr, "no-such-container") {
		t.Error(r)
	}
}

// waitFiltered waits until a process runs under a filter and nobody traces it.
func waitFiltered(t *testing.T, pid int) {
	t.Helper()
	for range 500 {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		must(t, err)
		if lines := (Result{Stdout: string(status)}).Lines(); lines["Seccomp"] == "2" && lines["TracerPid"] == "0" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("process %d has no filter", pid)
}

// TestDecompileDaemons: the programs of daemons of the distribution, of those
// that filter themselves and of those that systemd filters, come back. All that
// is lost is what runc's stub says of the numbers above all names, which these
// programs do not say: every such loss denies on both sides.
func TestDecompileDaemons(t *testing.T) {
	t.Run("sshd", func(t *testing.T) {
		dir := t.TempDir()
		MustCommand(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, "key"))
		must(t, os.MkdirAll("/run/sshd", 0o755))
		port := freePort(t)
		daemon := startForeground(t, program(t, "/usr/sbin/sshd"), "-D", "-f", "/dev/null", "-h", filepath.Join(dir, "key"), "-p", port, "-o", "ListenAddress=127.0.0.1", "-o", "PidFile=none")
		conn := greeted(t, port, "SSH-2.0-")
		// The process that speaks with those who have not logged in yet.
		_, err := conn.Write([]byte("SSH-2.0-test\r\n"))
		must(t, err)
		checkDaemon(t, filteredBelow(t, daemon, "sshd"), 1)
	})
	t.Run("vsftpd", func(t *testing.T) {
		dir := t.TempDir()
		empty := filepath.Join(dir, "empty")
		must(t, os.Mkdir(empty, 0o755))
		port := freePort(t)
		must(t, os.WriteFile(filepath.Join(dir, "conf"), []byte("background=NO\nlisten=YES\nlisten_address=127.0.0.1\nlisten_port="+port+"\nanonymous_enable=YES\nseccomp_sandbox=YES\nsecure_chroot_dir="+empty+"\n"), 0o600))
		daemon := startForeground(t, program(t, "/usr/sbin/vsftpd"), filepath.Join(dir, "conf"))
		greeted(t, port, "220 ")
		checkDaemon(t, filteredBelow(t, daemon, "vsftpd"), 1)
	})
	t.Run("systemd", func(t *testing.T) {
		daemon := startForeground(t, "unshare", "--mount", "--propagation", "private", "--pid", "--cgroup", "--kill-child", "--fork",
			"testdata/systemd", t.TempDir(), "systemd-journald.service", "systemd-timesyncd.service")
		for _, name := range []string{"systemd-journal", "systemd-timesyn"} {
			t.Run(name, func(t *testing.T) { checkDaemon(t, filteredBelow(t, daemon, name), 10) })
		}
	})
}

// checkDaemon decompiles a daemon's programs, which are at least so many.
func checkDaemon(t *testing.T, pid, programs int) {
	t.Helper()
	var in struct {
		Filters []struct{ Length int } `json:"filters"`
	}
	must(t, json.Unmarshal([]byte(MustCommand(t, Product(t, "seccomp-hook"), "inspect", "--pid", strconv.Itoa(pid), "--format", "json").Stdout), &in))
	if len(in.Filters) < programs {
		t.Errorf("%d programs, %d expected", len(in.Filters), programs)
	}
	length := 0
	for _, f := range in.Filters {
		length += f.Length
	}
	d, profile := decompile(t, "--pid", strconv.Itoa(pid))
	for _, l := range d.Losses {
		denied := !strings.HasPrefix(l.Program, "ALLOW") && strings.HasPrefix(l.Profile, "ERRNO(38)")
		if l.Undecided || !denied || !strings.Contains(l.Reason, "above all that the profile names") || l.At == nil {
			t.Errorf("%+v", l)
		}
	}
	t.Logf("%d programs of %d instructions: %d losses", len(in.Filters), length, len(d.Losses))
	// The profile is one: it compiles.
	MustCommand(t, Product(t, "seccomp-hook"), "compile", "-o", filepath.Join(t.TempDir(), "program"), profile)
}

// startForeground starts a daemon that stays in the foreground, for the test.
func startForeground(t *testing.T, argv ...string) int {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	output := tempFile(t)
	cmd.Stdout, cmd.Stderr = output, output
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
		if text := readBack(t, output); t.Failed() {
			t.Logf("%s: %s", argv[0], text)
		}
	})
	return cmd.Process.Pid
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	must(t, err)
	return port
}

// greeted connects to a daemon and waits for its first line.
func greeted(t *testing.T, port, want string) net.Conn {
	t.Helper()
	var conn net.Conn
	var err error
	for range 500 {
		if conn, err = net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	line, err := bufio.NewReader(conn).ReadString('\n')
	if must(t, err); !strings.HasPrefix(line, want) {
		t.Fatalf("the daemon says %q", line)
	}
	return conn
}

// filteredBelow waits for a filtered process of that name that descends from
// another.
func filteredBelow(t *testing.T, ancestor int, name string) int {
	t.Helper()
	for range 1000 {
		for pid := range descendants(ancestor) {
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			if err != nil {
				continue // it has ended
			}
			if lines := (Result{Stdout: string(status)}).Lines(); lines["Name"] == name && lines["Seccomp"] == "2" {
				return pid
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("no filtered process %s below %d", name, ancestor)
	return 0
}

// descendants yields the processes below one.
func descendants(pid int) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		open := []int{pid}
		for len(open) > 0 {
			pid := open[0]
			open = open[1:]
			text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid)) // it may have ended
			for _, child := range strings.Fields(string(text)) {
				if n, err := strconv.Atoi(child); err == nil {
					if open = append(open, n); !yield(n) {
						return
					}
				}
			}
		}
	}
}
