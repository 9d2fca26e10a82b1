//go:build integration

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sanitizedFront builds the whole front with the sanitizers of addresses and of
// undefined behaviour, as a hosted program (test/front/testdata/hosted.c), beside
// the programs that it starts. The directory that it returns besides is where
// they report, whichever of the front's processes it was.
func sanitizedFront(t *testing.T) (front, reports string) {
	t.Helper()
	dir, source, data := t.TempDir(), filepath.Join(Root(t), "cmd/seccomp-runc"), filepath.Join(Root(t), "test/front/testdata")
	for _, name := range []string{"seccomp-hook-runtime", "seccomp-hook-announce"} {
		copyProgram(t, Product(t, name), filepath.Join(dir, name))
	}
	front, reports = filepath.Join(dir, "seccomp-runc"), filepath.Join(dir, "reports")
	must(t, os.Mkdir(reports, 0o755))
	build := []string{
		"-std=gnu11", "-D_GNU_SOURCE", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
		"-I", source, "-include", filepath.Join(data, "hosted.h"), "-o", front, filepath.Join(data, "hosted.c"),
	}
	files, err := filepath.Glob(filepath.Join(source, "*.c"))
	must(t, err)
	for _, file := range files {
		if filepath.Base(file) != "main.c" {
			build = append(build, file)
		}
	}
	MustCommand(t, "gcc", build...)
	for _, variable := range []string{"ASAN_OPTIONS", "UBSAN_OPTIONS"} {
		t.Setenv(variable, "detect_leaks=0:log_path="+filepath.Join(reports, "report")) // the front frees nothing
	}
	return front, reports
}

// TestFrontSanitized: no process of the front, in any way that a container is
// made or entered, reads or writes outside of an object, or does what C leaves
// undefined.
func TestFrontSanitized(t *testing.T) {
	path, reports := sanitizedFront(t)
	profile := denying(t)
	ways := map[string][]Option{
		"ready filter": {profile, Annotation("org.example/a", strings.Repeat("b", 5000))},
		"attendant":    {profile, needsAttendant, Annotation("io.seccomp-hook.profile", "builtin:docker")},
		"no profile":   {},
	}
	for _, rt := range []Runtime{Runc(t), Crun(t)} {
		front := rt.Behind("sanitized", path, "--real-runtime", rt.Argv[0])
		for name, options := range ways {
			t.Run(rt.Name+"/"+name, func(t *testing.T) {
				b := NewBundle(t, append([]Option{WithVictim(Probe, "pause")}, options...)...)
				c := b.Create(front)
				c.Start()
				c.Exec(append(b.Spec.Process.Args[:1:1], probeArgs()...)...)
				c.Delete(true)
			})
		}
		// What fits no buffer, and what is no command line.
		c := NewBundle(t).NewContainer(front)
		c.Command("exec", strings.Repeat("x", 5000), "true")
		c.Command("create", "--bundle", strings.Repeat("/x", 5000), c.ID)
		c.Command("exec")
	}
	files, err := os.ReadDir(reports)
	must(t, err)
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(reports, file.Name()))
		must(t, err)
		t.Errorf("%.4000s", text)
	}
	if r := MustCommand(t, "nm", path); !strings.Contains(r.Stdout, "__asan_report_load8") {
		t.Error("the front has no sanitizer in it")
	}
}
