package filter

import (
	"os"
	"testing"
)

// List tells of every entry what is in it, or why it is not used; and Clear removes
// them, and nothing else.
func TestListAndClear(t *testing.T) {
	s := openStore(t)
	must(t, s.save(Key{1}, sample()))
	must(t, s.SaveReady(0x1234, []byte("ready")))
	must(t, s.save(Key{2}, sample()))
	text, err := os.ReadFile(s.path(Key{2}.String()))
	must(t, err)
	must(t, os.WriteFile(s.path(Key{2}.String()), text[:len(text)-1], 0o600))
	must(t, os.Symlink("/etc/passwd", s.path(ReadyName(7))))
	for _, other := range []string{"another's", newPrefix + "0"} {
		must(t, os.WriteFile(s.path(other), nil, 0o600))
	}
	list, err := s.List()
	must(t, err)
	have := map[string]Entry{}
	for _, e := range list {
		have[e.Name] = e
	}
	if e := have[Key{1}.String()]; e.Filter == nil || e.Err != nil || e.Size == 0 || e.Used.IsZero() {
		t.Errorf("a filter: %+v", e)
	}
	if e := have["ready-1234"]; string(e.Ready) != "ready" || e.Filter != nil || e.Err != nil {
		t.Errorf("a ready filter: %+v", e)
	}
	for _, name := range []string{Key{2}.String(), "ready-7"} {
		if e := have[name]; e.Err == nil || e.Filter != nil || e.Ready != nil {
			t.Errorf("a damaged entry: %+v", e)
		}
	}
	if len(list) != 4 {
		t.Errorf("%d entries: %v", len(list), have)
	}
	if removed, err := s.Clear(); removed != 5 || err != nil { // what is being written, too
		t.Errorf("%d removed, %v", removed, err)
	}
	if names := s.names(t); len(names) != 1 || names[0] != "another's" {
		t.Errorf("left are %q", names)
	}
}

// Prove finds the program that is not the profile's.
func TestProveAgain(t *testing.T) {
	request := func(errno string) Request {
		text := `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["unshare"],"action":"SCMP_ACT_ERRNO","errnoRet":` + errno + `}]}`
		return Request{Profile: "a", Text: []byte(text), Kernel: kernel618}
	}
	f, err := Build(request("7"))
	must(t, err)
	must(t, f.Prove(request("7")))
	if f.Prove(request("8")) == nil {
		t.Error("another profile's program is proved")
	}
}
