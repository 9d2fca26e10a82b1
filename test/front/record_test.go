//go:build linux

package front

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// recordReader is a process that reads the real runtime's records of a container
// as the front does.
type recordReader struct{ reader }

func newRecordReader(t testing.TB) recordReader {
	t.Helper()
	dir := t.TempDir()
	container := filepath.Join(dir, "record-of-no-container")
	if err := os.Mkdir(container, 0o700); err != nil {
		t.Fatal(err)
	}
	// What crun has kept of a program.
	if err := os.WriteFile(filepath.Join(container, "seccomp.bpf"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	return recordReader{reader{converse(t, "records", []string{"plain.c"}, dir)}}
}

// containerInit is what tells a container's first process from any other.
type containerInit struct{ PID, Start uint64 }

// find asks for the init in a record.
func (r recordReader) find(t testing.TB, what byte, text []byte) (found containerInit, ok bool) {
	t.Helper()
	ok = r.ask(t, what, text)
	if err := binary.Read(r.out, binary.NativeEndian, &found); err != nil {
		t.Fatal(err)
	}
	return found, ok
}

// recordKeys are those of pkg/runtime's readRuncState and readCrunState.
var recordKeys = map[byte][2]string{'r': {"init_process_pid", "init_process_start"}, 'c': {"pid", "process-start-time"}}

// decoded is what encoding/json finds. certain is false where a reader could
// choose: a key that is there more than once, or in another case, or in an inner
// object. A real runtime writes no such record.
func decoded(what byte, text []byte) (want containerInit, ok, certain bool) {
	keys := recordKeys[what]
	for _, key := range keys {
		if bytes.Count(bytes.ToLower(text), []byte(`"`+key+`"`)) > 1 || bytes.Contains(text, []byte(`\u`)) {
			return want, false, false
		}
	}
	var record map[string]json.RawMessage
	if json.Unmarshal(text, &record) != nil {
		return want, false, false
	}
	for i, into := range []*uint64{&want.PID, &want.Start} {
		value, found := record[keys[i]]
		if !found {
			return want, false, !bytes.Contains(bytes.ToLower(text), []byte(keys[i]))
		}
		if bytes.ContainsAny(value, ".eE-") {
			return want, false, false // a number, and none that a runtime writes
		}
		if json.Unmarshal(value, into) != nil {
			return want, false, !bytes.ContainsAny(value[:1], "0123456789") // one that has no room is not told apart
		}
		if string(value) == "null" {
			return want, false, true
		}
	}
	return want, true, true
}

// checkRecord holds the front's reading of a record to encoding/json's.
func checkRecord(t testing.TB, r recordReader, what byte, text []byte) (ok bool) {
	t.Helper()
	got, ok := r.find(t, what, text)
	want, found, certain := decoded(what, text)
	if bytes.IndexByte(text, 0) >= 0 || len(text) >= 1<<22-1 {
		certain = false // it ends there, or is not read
	}
	switch {
	case !certain:
	case ok && !found, ok && got != want:
		t.Errorf("%c: %.500q: the front finds %+v, encoding/json %+v %t", what, text, got, want, found)
	case found && !ok && !bytes.ContainsAny(text, "\t\n\r"):
		t.Errorf("%c: %.500q: the front does not find %+v", what, text, want)
	}
	return ok
}

// records are what runc 1.1 and 1.5 and crun 1.8 write, cut down, and what is
// nearly so.
var records = []struct {
	what byte
	text string
}{
	{'r', `{"id":"a","init_process_pid":4711,"init_process_start":998877,"created":"2026-11-29T11:00:00Z","config":{"labels":["bundle=/b","io.seccomp-hook.verified=true"],"sysctl":{"init_process_pid":"1"}}}`},
	{'r', `{"config":{"labels":["a=\"init_process_pid\":1"]},"init_process_pid" : 1 ,"init_process_start": 18446744073709551615}`},
	{'r', `{"init_process_pid":null,"init_process_start":2}`},
	{'r', `{"init_process_pid":"1","init_process_start":2}`},
	{'r', `{"Init_Process_Pid":1,"init_process_start":2}`},
	{'c', `{"pid" : 17, "process-start-time" : 1234, "cgroup-path" : "/x", "bundle" : "/b \"pid\" : 3", "external_descriptors" : "[\"/dev/null\"]"}`},
	{'c', `{"process-start-time":0,"pid":0}`},
	{'c', `{}`},
}

// TestRecordAgrees: where the front finds a container's init in the runtime's
// record, encoding/json finds the same.
func TestRecordAgrees(t *testing.T) {
	r, random := newRecordReader(t), rand.New(rand.NewPCG(5, 6))
	found := 0
	for _, record := range records {
		if checkRecord(t, r, record.what, []byte(record.text)) {
			found++
		}
		for range 200 {
			text := []byte(record.text)
			for range 1 + random.IntN(3) {
				at := random.IntN(len(text))
				text[at] = `"{}[]:, 019ae\x`[random.IntN(14)]
			}
			checkRecord(t, r, record.what, text)
		}
	}
	if found != 4 {
		t.Errorf("of the records as they are %d are understood", found)
	}
}

// TestRecordTells: a container is left to the real runtime only where no string
// of its record mentions this project, or where crun was handed its program.
func TestRecordTells(t *testing.T) {
	r, root := newRecordReader(t), os.Geteuid() == 0 // a program that crun has kept is root's
	for _, tc := range []struct {
		what byte
		text string
		want bool
	}{
		{'f', `{"config":{"labels":["bundle=/b"]}}`, true},
		{'f', `{"config":{"labels":["io.seccomp-hook.verified=true"]}}`, false},
		{'f', `{"config":{"labels":["io.Seccomp-Hook.verified=true"]}}`, false},
		{'f', `{"config":{"labels":["io.\u0073eccomp-hook.verified=true"]}}`, false},
		{'f', ``, false},
		{'k', `{"annotations":{"io.seccomp-hook.install.mode":"crun"}}`, true},
		{'k', `{"annotations":{"io.seccomp-hook.install.mode":"suspend"}}`, false},
		{'k', `{"annotations":{"a":"\"io.seccomp-hook.install.mode\":\"crun\""}}`, false},
		{'k', `{}`, false},
		{'k', ``, false},
	} {
		if got := r.ask(t, tc.what, []byte(tc.text)); got != (tc.want && (root || tc.what == 'f')) {
			t.Errorf("%c: %s: %t", tc.what, tc.text, got)
		}
	}
}

// FuzzRecord is checkRecord for any text.
func FuzzRecord(f *testing.F) {
	for _, record := range records {
		f.Add(record.what == 'c', []byte(record.text))
	}
	r := newRecordReader(f)
	f.Fuzz(func(t *testing.T, crun bool, text []byte) {
		what := byte('r')
		if crun {
			what = 'c'
		}
		checkRecord(t, r, what, text)
		if r.ask(t, 'f', text) && mentioned(text, "seccomp-hook") {
			t.Errorf("%q mentions it", text)
		}
		r.ask(t, 'k', text)
	})
}
