package hook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bundle"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/install"
)

// fakeInstaller notes what is asked of it.
type fakeInstaller struct {
	started  []int
	requests []install.Request
	closed   int
	fail     error
	listener *os.File
	outcome  string // of the container's program
}

func (f *fakeInstaller) start(pid int) (installer, error) {
	f.started = append(f.started, pid)
	return f, nil
}

func (f *fakeInstaller) Install(_ context.Context, r install.Request) (*install.Result, error) {
	f.requests = append(f.requests, r)
	if f.fail != nil {
		return nil, f.fail
	}
	if r.Outcome != nil {
		if _, err := r.Outcome.WriteString(f.outcome); err != nil {
			return nil, err
		}
	}
	return &install.Result{Mode: install.ModeSuspend, Listener: f.listener, Threads: 5}, nil
}

func (f *fakeInstaller) Close() error { f.closed++; return nil }

// container is a bundle and what surrounds it.
type container struct {
	root, bundle, profiles string
	annotations            map[string]string
}

func newContainer(t *testing.T, config string) *container {
	t.Helper()
	c := &container{root: filepath.Join(t.TempDir(), "run"), bundle: t.TempDir(), profiles: t.TempDir()}
	must(t, os.WriteFile(filepath.Join(c.bundle, "config.json"), []byte(config), 0o600))
	must(t, os.WriteFile(filepath.Join(c.profiles, "deny.json"), []byte(denyProfile), 0o600))
	must(t, os.WriteFile(filepath.Join(c.profiles, "notify.json"), []byte(fmt.Sprintf(notifyProfile, "/run/agent.sock")), 0o600))
	must(t, os.WriteFile(filepath.Join(c.profiles, "disabled.json"), []byte(`{"syscalls":[]}`), 0o600))
	return c
}

const (
	denyProfile   = `{"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_LOG"],"syscalls":[{"names":["unshare"],"action":"SCMP_ACT_ERRNO","errnoRet":7}]}`
	notifyProfile = `{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":%q,"listenerMetadata":"meta","syscalls":[{"names":["unshare"],"action":"SCMP_ACT_NOTIFY"}]}`
	plainConfig   = `{"process":{"noNewPrivileges":true,"capabilities":{"bounding":["CAP_CHOWN"]}},"linux":{}}`
)

// annotate makes the runtime hand over an annotation that names a profile.
func (c *container) annotate(profile string) *container {
	c.annotations = map[string]string{filter.AnnotationProfile: profile, "mine": "1"}
	return c
}

func (c *container) run(t *testing.T, o Options, f *fakeInstaller) (*Result, error) {
	t.Helper()
	state, err := json.Marshal(specs.State{
		Version: "1.2.0", ID: "c1", Status: specs.StateCreating, Pid: os.Getpid(), Bundle: c.bundle, Annotations: c.annotations,
	})
	must(t, err)
	o.Root, o.ProfileDirs = c.root, []string{c.profiles}
	return run(t.Context(), strings.NewReader(string(state)), o, f.start)
}

// published returns the annotations that are published, nil where nothing is.
func (c *container) published(t *testing.T) map[string]string {
	t.Helper()
	text, err := State(c.root, "c1")
	if errors.Is(err, ErrNoContainer) {
		return nil
	}
	must(t, err)
	var state specs.State
	must(t, json.Unmarshal(text, &state))
	return state.Annotations
}

func TestRunInstalls(t *testing.T) {
	c := newContainer(t, plainConfig).annotate("deny.json")
	for _, store := range []string{filter.Miss, filter.Hit} {
		var f fakeInstaller
		result, err := c.run(t, Options{}, &f)
		must(t, err)
		if len(f.requests) != 1 || f.closed != 0 || !reflect.DeepEqual(f.started, []int{os.Getpid()}) {
			t.Fatalf("installer: started for %v, asked %d times, closed %d times", f.started, len(f.requests), f.closed)
		}
		request := f.requests[0]
		if !request.NoNewPrivileges || request.Parent != os.Getppid() {
			t.Errorf("request: no_new_privs %v, parent %d", request.NoNewPrivileges, request.Parent)
		}
		if request.Filter.Flags != install.Log {
			t.Errorf("request: flags %s", request.Filter.Flags)
		}
		installed, err := Filter(c.root, "c1")
		must(t, err)
		if !reflect.DeepEqual(installed.Program, request.Filter.Program) {
			t.Error("the published filter is not the one that was installed")
		}
		annotations := c.published(t)
		for name, want := range map[string]string{
			"mine":                       "1",
			filter.AnnotationProfile:     filepath.Join(c.profiles, "deny.json"),
			filter.AnnotationVerified:    "true",
			filter.AnnotationStore:       store,
			filter.AnnotationInstallMode: "suspend",
		} {
			if annotations[name] != want {
				t.Errorf("%s: %s is %q, want %q", store, name, annotations[name], want)
			}
		}
		for _, name := range []string{
			filter.AnnotationProfileDigest, filter.AnnotationProgramDigest, filter.AnnotationInstructions, filter.AnnotationCompiler,
			filter.AnnotationInstallMicroseconds,
		} {
			if annotations[name] == "" || annotations[name] != result.Annotations[name] {
				t.Errorf("%s: %s is %q, the result has %q", store, name, annotations[name], result.Annotations[name])
			}
		}
		if len(result.Warnings) != 0 {
			t.Errorf("%s: warnings: %q", store, result.Warnings)
		}
	}
}

func TestRunWithoutInstalling(t *testing.T) {
	for _, c := range []struct {
		name, annotation string
		options          Options
		mode             string
		started          int
		filter           bool // there are statistics
		warning          string
	}{
		{"no profile", "", Options{}, ModeNone, 0, false, ""},
		{"observe", "deny.json", Options{Observe: true}, ModeObserve, 0, true, ""},
		{"observe without a profile", "", Options{Observe: true}, ModeNone, 0, false, ""},
		{"a disabled profile", "disabled.json", Options{}, ModeNone, 1, false, "asks for no filter"},
		{"observe a disabled profile", "disabled.json", Options{Observe: true}, ModeNone, 0, false, "asks for no filter"},
	} {
		t.Run(c.name, func(t *testing.T) {
			container := newContainer(t, plainConfig)
			if c.annotation != "" {
				container.annotate(c.annotation)
			}
			var f fakeInstaller
			result, err := container.run(t, c.options, &f)
			must(t, err)
			if len(f.requests) != 0 || len(f.started) != c.started || f.closed != c.started {
				t.Errorf("installer: started for %v, asked %d times, closed %d times", f.started, len(f.requests), f.closed)
			}
			annotations := container.published(t)
			if got := annotations[filter.AnnotationInstallMode]; got != c.mode {
				t.Errorf("mode %q, want %q", got, c.mode)
			}
			if _, has := annotations[filter.AnnotationInstructions]; has != c.filter {
				t.Errorf("statistics: %v, want %v", has, c.filter)
			}
			if _, err := Filter(container.root, "c1"); !errors.Is(err, ErrNoContainer) {
				t.Errorf("a filter that is not installed is published (%v)", err)
			}
			if got := strings.Join(result.Warnings, "\n"); !strings.Contains(got, c.warning) || c.warning == "" && got != "" {
				t.Errorf("warnings %q, want %q", got, c.warning)
			}
		})
	}
}

// What only this project can say of a container, the container cannot.
func TestRunDisclaims(t *testing.T) {
	claims := map[string]string{
		filter.AnnotationVerified: "true", filter.AnnotationProgramDigest: "00", filter.AnnotationInstallMode: string(install.ModeSuspend),
		filter.AnnotationDispatchArea: "1-2", filter.AnnotationPrefix + "anything": "x",
	}
	for name, profile := range map[string]string{"without a profile": "", "with one": "deny.json", "disabled": "disabled.json"} {
		t.Run(name, func(t *testing.T) {
			c := newContainer(t, plainConfig)
			c.annotations = maps.Clone(claims)
			c.annotations["mine"] = "1"
			if profile != "" {
				c.annotations[filter.AnnotationProfile] = profile
			}
			r, err := c.run(t, Options{}, new(fakeInstaller))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(strings.Join(r.Warnings, "\n"), filter.AnnotationVerified) {
				t.Errorf("warnings are %q", r.Warnings)
			}
			published := c.published(t)
			for name, value := range claims {
				if published[name] != r.Annotations[name] { // "" where the hook says nothing
					t.Errorf("%s: %q is published, and the container has %q", name, published[name], value)
				}
			}
			if published["mine"] != "1" || profile == "" && published[filter.AnnotationInstallMode] != ModeNone {
				t.Errorf("published are %v", published)
			}
		})
	}
}

func TestRunBesideTheRuntimesFilter(t *testing.T) {
	withSeccomp := func(seccomp string) string { return `{"linux":{"seccomp":` + seccomp + `}}` }
	notify := fmt.Sprintf(notifyProfile, "/run/agent.sock")
	for _, c := range []struct {
		name, config, annotation string
		options                  Options
		warning, want            string
	}{
		{"the same", withSeccomp(denyProfile), "", Options{}, "two filters with equal verdicts", ""},
		{"another", withSeccomp(`{"defaultAction":"SCMP_ACT_ALLOW"}`), "deny.json", Options{}, "the stricter verdict counts", ""},
		{"only observed", withSeccomp(denyProfile), "", Options{Observe: true}, "", ""},
		{"disabled", withSeccomp(`{}`), "", Options{}, "asks for no filter", ""},
		{"both the same with NOTIFY", withSeccomp(notify), "", Options{}, "", "only one listener"},
		{"both with NOTIFY", withSeccomp(notify), "notify.json", Options{}, "", "only one listener"},
		{"NOTIFY in the runtime's", withSeccomp(notify), "deny.json", Options{}, "the stricter verdict counts", ""},
		{"NOTIFY only observed", withSeccomp(notify), "", Options{Observe: true}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			container := newContainer(t, c.config)
			if c.annotation != "" {
				container.annotate(c.annotation)
			}
			var f fakeInstaller
			result, err := container.run(t, c.options, &f)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want an error with %q", err, c.want)
				}
				if len(f.requests) != 0 || f.closed != len(f.started) {
					t.Error("something was installed, or an installer is left")
				}
				return
			}
			must(t, err)
			if got := strings.Join(result.Warnings, "\n"); !strings.Contains(got, c.warning) || c.warning == "" && got != "" {
				t.Errorf("warnings %q, want %q", got, c.warning)
			}
		})
	}
}

// TestRunFails: whatever goes wrong is an error of one line that names the
// container, and nothing is published, not even what was there before.
func TestRunFails(t *testing.T) {
	for _, c := range []struct {
		name, config, annotation string
		fail                     error
		spoil                    func(t *testing.T, c *container)
		want                     string
	}{
		{"config.json missing", plainConfig, "", nil, func(t *testing.T, c *container) { must(t, os.Remove(c.bundle+"/config.json")) }, "config.json: no such file"},
		{"config.json a directory", plainConfig, "", nil, func(t *testing.T, c *container) {
			must(t, os.Remove(c.bundle+"/config.json"))
			must(t, os.Mkdir(c.bundle+"/config.json", 0o700))
		}, "config.json: not a regular file"},
		{"config.json cut", `{"linux":`, "", nil, nil, "config.json: line 1, column 10: linux: unexpected end"},
		{"linux.seccomp twice", `{"linux":{"seccomp":{},"seccomp":{}}}`, "", nil, nil, "the key occurs twice"},
		{"linux.seccomp malformed", `{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_NONE"}}}`, "", nil, nil, "SCMP_ACT_NONE"},
		{"no such profile", plainConfig, "nothing.json", nil, nil, "nothing.json: no such file"},
		{"no such builtin", plainConfig, "builtin:nothing", nil, nil, "builtin:nothing"},
		{"profile outside", plainConfig, "../x", nil, nil, "leaves the profile directory"},
		{"profile malformed", plainConfig, "deny.json", nil, func(t *testing.T, c *container) {
			must(t, os.WriteFile(c.profiles+"/deny.json", []byte(denyProfile+"x"), 0o600))
		}, "deny.json"},
		{"installation refused", plainConfig, "deny.json", errors.New("the process is traced already"), nil, "the process is traced already"},
		{"nothing can be published", plainConfig, "deny.json", nil, func(t *testing.T, c *container) {
			must(t, os.MkdirAll(c.root+"/containers", 0o700))
			must(t, os.WriteFile(c.root+"/containers/c1", nil, 0o600))
		}, "publish: "},
		{"others can write to the root", plainConfig, "deny.json", nil, func(t *testing.T, c *container) {
			must(t, os.Chmod(c.root, 0o777|os.ModeSticky))
		}, "root alone must be able to write to it"},
		{"others can write to the profile", plainConfig, "deny.json", nil, func(t *testing.T, c *container) {
			must(t, os.Chmod(c.profiles+"/deny.json", 0o622))
		}, "deny.json\" is owned by"},
		{"others can write to the profile directory", plainConfig, "deny.json", nil, func(t *testing.T, c *container) {
			must(t, os.Chmod(c.profiles, 0o777))
		}, "root alone must be able to write to it"},
		{"others can write to a directory of profiles", plainConfig, "more/deny.json", nil, func(t *testing.T, c *container) {
			must(t, os.Mkdir(c.profiles+"/more", 0o700))
			must(t, os.Chmod(c.profiles+"/more", 0o777))
			must(t, os.WriteFile(c.profiles+"/more/deny.json", []byte(denyProfile), 0o600))
		}, "more\" is owned by"},
	} {
		t.Run(c.name, func(t *testing.T) {
			container := newContainer(t, c.config)
			if c.annotation != "" {
				container.annotate(c.annotation)
			}
			if c.name != "nothing can be published" {
				must(t, publish(container.root, &specs.State{ID: "c1"}, allowAll)) // by an earlier container
			}
			if c.spoil != nil {
				c.spoil(t, container)
			}
			f := fakeInstaller{fail: c.fail}
			_, err := container.run(t, Options{}, &f)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "container c1: ") {
				t.Errorf("got %v, want an error of container c1 with %q", err, c.want)
			}
			if strings.Contains(fmt.Sprint(err), "\n") {
				t.Errorf("the error has several lines: %q", err)
			}
			if f.closed+len(f.requests) != len(f.started) {
				t.Errorf("installer: started %d times, closed %d, asked %d", len(f.started), f.closed, len(f.requests))
			}
			if c.name != "nothing can be published" && container.published(t) != nil {
				t.Error("the earlier container's state is still there")
			}
		})
	}
}

// TestRunWithoutStore: a store that cannot be used costs time, is told, and
// takes no filter away.
func TestRunWithoutStore(t *testing.T) {
	c := newContainer(t, plainConfig).annotate("deny.json")
	must(t, os.Mkdir(c.root, 0o711))
	must(t, os.Symlink("/nowhere", c.root+"/store"))
	var f fakeInstaller
	result, err := c.run(t, Options{}, &f)
	must(t, err)
	if len(f.requests) != 1 {
		t.Error("nothing was installed")
	}
	if got := c.published(t)[filter.AnnotationStore]; got != filter.Miss {
		t.Errorf("store: %q", got)
	}
	if len(result.Warnings) != 1 || !strings.HasPrefix(result.Warnings[0], "store: ") {
		t.Errorf("warnings: %q", result.Warnings)
	}
}

// TestRunHandsTheListenerOver plays the agent.
func TestRunHandsTheListenerOver(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "agent.sock")
	agent, err := net.Listen("unix", socket)
	must(t, err)
	defer agent.Close()
	c := newContainer(t, plainConfig).annotate("notify.json")
	must(t, os.WriteFile(c.profiles+"/notify.json", []byte(fmt.Sprintf(notifyProfile, socket)), 0o600))
	listener, err := os.CreateTemp(t.TempDir(), "listener")
	must(t, err)
	_, err = listener.WriteString("the listener")
	must(t, err)

	got := make(chan error, 1)
	var state specs.ContainerProcessState
	var content [64]byte
	go func() {
		got <- func() error {
			conn, err := agent.Accept()
			if err != nil {
				return err
			}
			defer conn.Close()
			text, oob := make([]byte, 1<<16), make([]byte, unix.CmsgSpace(2*4))
			n, oobn, _, _, err := conn.(*net.UnixConn).ReadMsgUnix(text, oob)
			if err != nil {
				return err
			}
			messages, err := unix.ParseSocketControlMessage(oob[:oobn])
			if err != nil || len(messages) != 1 {
				return fmt.Errorf("%d control messages, %w", len(messages), err)
			}
			fds, err := unix.ParseUnixRights(&messages[0])
			if err != nil || len(fds) != 1 {
				return fmt.Errorf("descriptors %v, %w", fds, err)
			}
			defer unix.Close(fds[0])
			if _, err := unix.Pread(fds[0], content[:], 0); err != nil {
				return err
			}
			return json.Unmarshal(text[:n], &state)
		}()
	}()
	f := fakeInstaller{listener: listener}
	_, err = c.run(t, Options{}, &f)
	must(t, err)
	must(t, <-got)
	if f.requests[0].Filter.Flags&install.NewListener == 0 {
		t.Errorf("flags %s", f.requests[0].Filter.Flags)
	}
	if !strings.HasPrefix(string(content[:]), "the listener") {
		t.Errorf("the agent got another file: %q", content)
	}
	want := specs.ContainerProcessState{
		Version: specs.Version, Fds: []string{specs.SeccompFdName}, Pid: os.Getpid(), Metadata: "meta",
		State: specs.State{Version: "1.2.0", ID: "c1", Status: specs.StateCreating, Pid: os.Getpid(), Bundle: c.bundle, Annotations: c.annotations},
	}
	if !reflect.DeepEqual(state, want) {
		t.Errorf("the agent got %+v, want %+v", state, want)
	}
	if _, err := listener.Stat(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the listener is still open (%v)", err)
	}
}

func TestRunWithoutAgent(t *testing.T) {
	c := newContainer(t, plainConfig).annotate("notify.json")
	listener, err := os.CreateTemp(t.TempDir(), "listener")
	must(t, err)
	must(t, os.WriteFile(c.profiles+"/notify.json", []byte(fmt.Sprintf(notifyProfile, t.TempDir()+"/none")), 0o600))
	f := fakeInstaller{listener: listener}
	if _, err := c.run(t, Options{}, &f); err == nil || !strings.Contains(err.Error(), "notify: failed to connect with seccomp agent: dial unix") {
		t.Errorf("got %v, want an error that names the agent's socket", err)
	}
	if c.published(t) != nil {
		t.Error("something is published")
	}
}

func TestPoststop(t *testing.T) {
	c := newContainer(t, plainConfig)
	if _, err := c.run(t, Options{}, &fakeInstaller{}); err != nil {
		t.Fatal(err)
	}
	// The process is gone by then.
	must(t, Poststop(strings.NewReader(`{"id":"c1","status":"stopped","bundle":"`+c.bundle+`"}`), c.root))
	if c.published(t) != nil {
		t.Error("the state is still there")
	}
	if err := Poststop(strings.NewReader(`{"id":"../c1"}`), c.root); err == nil {
		t.Error("a path as id was taken")
	}
}

// TestDispatch: the annotation goes to the installer, with a file for what comes
// of it, which the state then has.
func TestDispatch(t *testing.T) {
	for _, c := range []struct{ outcome, name, want string }{
		{"", filter.AnnotationDispatchArea, ""}, // not yet
		{"live 7 00401000-00402000\n", filter.AnnotationDispatchArea, "00401000-00402000"},
		{"killed 7 the program is dynamically linked\n", filter.AnnotationDispatchError, "the program is dynamically linked"},
	} {
		container := newContainer(t, plainConfig).annotate("deny.json")
		container.annotations[filter.AnnotationDispatch] = "text"
		f := fakeInstaller{outcome: c.outcome}
		_, err := container.run(t, Options{}, &f)
		must(t, err)
		if got := f.requests[0].Dispatch.String(); got != "text" {
			t.Errorf("asked for %q", got)
		}
		annotations := container.published(t)
		if annotations[filter.AnnotationDispatch] != "text" || annotations[c.name] != c.want {
			t.Errorf("after %q: %q", c.outcome, annotations)
		}
	}

	for name, c := range map[string]struct{ profile, dispatch, config, want string }{
		"empty":                {"deny.json", "", plainConfig, "dispatch: empty"},
		"no area":              {"deny.json", "2-1", plainConfig, "annotation io.seccomp-hook.dispatch: install: areas"},
		"two annotations":      {"deny.json", "text", `{"annotations":{"io.seccomp-hook.dispatch":"1-2"}}`, `config.json has "1-2"`},
		"no profile":           {"", "text", plainConfig, "without a filter there is no dispatch"},
		"a profile of nothing": {"disabled.json", "text", plainConfig, "without a filter there is no dispatch"},
	} {
		container := newContainer(t, c.config)
		container.annotations = map[string]string{filter.AnnotationDispatch: c.dispatch}
		if c.profile != "" {
			container.annotations[filter.AnnotationProfile] = c.profile
		}
		var f fakeInstaller
		if _, err := container.run(t, Options{}, &f); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
		if len(f.requests) != 0 || f.closed != len(f.started) {
			t.Errorf("%s: something was installed, or an installer is left", name)
		}
	}
}

// TestDecide is the way of a runtime that takes linux.seccomp out itself: the
// filter is decided on before, and the hook only installs it.
func TestDecide(t *testing.T) {
	c := newContainer(t, plainConfig)
	config, err := bundle.Parse([]byte(`{"linux":{"seccomp":` + denyProfile + `}}`))
	must(t, err)
	decided, err := Decide(config, Options{Root: c.root})
	must(t, err)
	if decided.Annotations[filter.AnnotationProfile] != "config.json" || decided.Annotations[filter.AnnotationVerified] != "true" {
		t.Errorf("annotations %q", decided.Annotations)
	}
	if mode, has := decided.Annotations[filter.AnnotationInstallMode]; has {
		t.Errorf("it is installed already, by %q", mode)
	}
}

func TestDecideOnNothing(t *testing.T) {
	for text, warnings := range map[string]int{`{}`: 0, `{"linux":{"seccomp":{}}}`: 1} {
		config, err := bundle.Parse([]byte(text))
		must(t, err)
		decided, err := Decide(config, Options{Root: t.TempDir()})
		must(t, err)
		if decided.Filter != nil || decided.Annotations[filter.AnnotationInstallMode] != ModeNone || len(decided.Warnings) != warnings {
			t.Errorf("%s: %+v", text, decided)
		}
	}
	config, err := bundle.Parse([]byte(`{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_NONE"}}}`))
	must(t, err)
	if _, err := Decide(config, Options{Root: t.TempDir()}); err == nil {
		t.Error("decided on a malformed profile")
	}
}

// BenchmarkRun is a start from the store, without the installer: what the hook
// itself adds to it.
func BenchmarkRun(b *testing.B) {
	dir := b.TempDir()
	must(b, os.WriteFile(filepath.Join(dir, "config.json"), []byte(plainConfig), 0o600))
	state := fmt.Sprintf(`{"id":"c1","pid":%d,"bundle":%q}`, os.Getpid(), dir)
	o := Options{Root: filepath.Join(dir, "run"), DefaultProfile: "builtin:docker"}
	start := func(int) (installer, error) { return new(fakeInstaller), nil }
	for b.Loop() {
		if _, err := run(b.Context(), strings.NewReader(state), o, start); err != nil {
			b.Fatal(err)
		}
	}
}
