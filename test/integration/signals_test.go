//go:build integration

package integration

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

var signalledStarts = flag.Int("signalled-starts", 2, "how many starts and execs TestSignalsOfAContainer disturbs, in each way")

// TestSignalsOfAContainer: a container with the host's processes in view and CAP_KILL
// stops, continues and interrupts the processes of another container's starts and
// execs, all the time. They come to their end, filtered, and leave nothing behind.
func TestSignalsOfAContainer(t *testing.T) {
	for _, rt := range []Runtime{Runc(t), Crun(t)} {
		for name, options := range map[string][]Option{"follower": {denying(t)}, "attendant": {denying(t), needsAttendant}} {
			t.Run(rt.Name+"/"+name, func(t *testing.T) {
				b := NewBundle(t, append(options, WithVictim(FirstTold(nrUnshare)))...)
				victim := b.Spec.Process.Args
				front := front(t, rt)
				b.Spec.Process.Args = []string{"/bin/sleep", "1000"}
				long := b.Create(front)
				long.Start()
				b.Spec.Process.Args = victim
				told := signals(t, b.Dir)
				for round := 0; round < *signalledStarts || !told(); round++ {
					for what, r := range map[string]Result{"run": b.Run(front), "exec": long.Exec(victim...)} {
						if r.Code != denyErrno || r.Stdout != string(rune(denyErrno)) {
							t.Errorf("%s: %s", what, r)
						}
					}
				}
				if r := long.Delete(true); r.Code != 0 {
					t.Error(r)
				}
			})
		}
	}
}

// signals has a container send signals to whoever has a word in the command line,
// until the test has ended. It returns what reports whether anybody has got some.
func signals(t *testing.T, word string) (told func() bool) {
	t.Helper()
	b := NewBundle(t, denying(t), Capabilities("CAP_KILL"))
	b.Spec.Linux.Namespaces = deleteNamespace(b.Spec.Linux.Namespaces, specs.PIDNamespace)
	gate := filepath.Join(b.Dir, "rootfs/gate")
	must(t, os.WriteFile(gate, nil, 0o644))
	// The word is not in the command line of the container's own processes, and what
	// was stopped last is continued.
	must(t, os.WriteFile(filepath.Join(b.Dir, "rootfs/word"), []byte(word), 0o644))
	b.Spec.Process.Args = []string{"/bin/sh", "-c", `while [ -e /gate ]; do
	for p in $(ps -o pid,args | grep -F -f /word | sed 's/^ *//;s/ .*//'); do
		kill -STOP $p; kill -URG $p; kill -CONT $p; echo $p >>/told
	done
done 2>/dev/null
echo end`}
	c := b.Create(front(t, Runc(t)))
	c.Start()
	t.Cleanup(func() {
		must(t, os.Remove(gate))
		c.Wait()
		if said := c.Output(); said != "end\n" {
			t.Errorf("whoever sends signals says %q", said)
		}
	})
	return func() bool {
		_, err := os.Stat(filepath.Join(b.Dir, "rootfs/told"))
		return err == nil
	}
}
