//go:build machine

package machine

import "testing"

// TestConfined: a container's domain of AppArmor or SELinux and its filter, on kernels
// that have them on.
func TestConfined(t *testing.T) {
	for _, c := range []struct {
		test    string
		options []string
	}{
		{"TestAppArmor", []string{"--package", "apparmor", "--append", "security=apparmor", "--append", "apparmor=1"}},
		{"TestSELinux", []string{"--package", "checkpolicy", "--append", "security=selinux", "--append", "selinux=1"}},
	} {
		t.Run(c.test, func(t *testing.T) {
			m := machine{arch: "amd64", kernel: "6.1", suite: "bookworm", options: c.options}
			m.run(t, 2400, suite{"test/integration", []string{"-test.run", "^" + c.test + "$"}})
		})
	}
}
