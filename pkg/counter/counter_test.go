package counter_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/counter"
)

// TestAdd: what many add at once is all there.
func TestAdd(t *testing.T) {
	root := t.TempDir()
	if got, err := counter.Read(root); err != nil || len(got) != 0 {
		t.Fatal(got, err)
	}
	const workers, each = 4, 20
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for done := 0; done < each; {
				// Others may have had it for as long as is waited for.
				switch err := counter.Add(root, map[string]float64{counter.StoreMisses: 1, counter.ProofSeconds: 0.25}); {
				case err == nil:
					done++
				case !errors.Is(err, counter.ErrBusy):
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	got, err := counter.Read(root)
	if err != nil || got[counter.StoreMisses] != workers*each || got[counter.ProofSeconds] != workers*each/4 {
		t.Error(got, err)
	}
}

// TestDamaged: a file that says nothing is an error to who reads it, and begins anew.
func TestDamaged(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(root, "counters")
	if err := os.WriteFile(file, []byte(`{"store_mis`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := counter.Read(root); err == nil {
		t.Error(got)
	}
	if err := counter.Add(root, map[string]float64{"a": 2}); err != nil {
		t.Error(err)
	}
	if got, err := counter.Read(root); err != nil || len(got) != 1 || got["a"] != 2 {
		t.Error(got, err)
	}
}

// TestBusy: nobody waits for a process that has the counters and does not go on.
func TestBusy(t *testing.T) {
	root := t.TempDir()
	if err := counter.Add(root, map[string]float64{"a": 1}); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(root, "counters"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if err := counter.Add(root, map[string]float64{"a": 1}); !errors.Is(err, counter.ErrBusy) {
		t.Error(err)
	}
	if _, err := counter.Read(root); !errors.Is(err, counter.ErrBusy) {
		t.Error(err)
	}
}

// TestNotFollowed: a link leads nowhere.
func TestNotFollowed(t *testing.T) {
	root := t.TempDir()
	target := filepath.Join(root, "target")
	if err := os.Symlink(target, filepath.Join(root, "counters")); err != nil {
		t.Fatal(err)
	}
	if err := counter.Add(root, map[string]float64{"a": 1}); !errors.Is(err, unix.ELOOP) {
		t.Error(err)
	}
	if _, err := os.Lstat(target); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
