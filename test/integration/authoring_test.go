//go:build integration

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestAuthoring runs the commands of docs/authoring.md, one after the other, in
// a folder as the page describes it. The lines below a command are parts of what
// it prints.
func TestAuthoring(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(Root(t), "docs/authoring.md"))
	must(t, err)
	b := NewBundle(t, Args("/bin/busybox", "sh", "/bin/app", "again"), Annotation("io.seccomp-hook.profile", "app.json"))
	dir := filepath.Dir(b.Dir)
	script := "/bin/busybox ls / >/dev/null\n/bin/busybox sleep 0.1\n" +
		"while [ -n \"$1\" ]; do /bin/busybox chroot / /bin/busybox true; /bin/busybox sleep 0.1; done\n"
	must(t, os.WriteFile(filepath.Join(b.Dir, "rootfs/bin/app"), []byte(script), 0o755))
	b.Save()
	must(t, os.Symlink(b.Dir, filepath.Join(dir, "bundle")))
	config := filepath.Join(dir, "config.toml")
	must(t, os.WriteFile(config, []byte("real_runtime = \""+Tool(t, "runc")+"\"\nprofile_dirs = [\""+dir+"\"]\n"), 0o600))
	t.Setenv("SECCOMP_HOOK_CONFIG", config)
	bin := filepath.Dir(Product(t, "seccomp-hook"))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	// The page's container has a name that others may have, too.
	id := b.NewContainer(Runc(t)).ID
	t.Cleanup(func() { _ = exec.Command("seccomp-runc", "delete", "--force", id).Run() })
	name := strings.NewReplacer("bundle app", "bundle "+id, "watch app", "watch "+id)

	steps := regexp.MustCompile("(?s)```sh\n\\$ (.*?)\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(steps) != 6 {
		t.Fatalf("%d commands", len(steps))
	}
	for _, step := range steps {
		cmd := command(t, "sh", "-c", name.Replace(step[1]))
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		code := 0
		if cmd.ProcessState != nil {
			code = cmd.ProcessState.ExitCode()
		}
		want := 0
		if strings.Contains(step[1], " diff ") {
			want = 1
		}
		if code != want {
			t.Fatalf("%s: %v\n%s", step[1], err, out)
		}
		for _, part := range strings.Split(strings.TrimSpace(step[2]), "\n") {
			if !strings.Contains(string(out), part) {
				t.Errorf("%s prints\n%.3000s\nwithout %q", step[1], out, part)
			}
		}
	}
}
