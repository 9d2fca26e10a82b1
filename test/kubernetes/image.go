//go:build integration && (image || kubernetes)

package kubernetes

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"seccomp-hook/test/integration"
)

// installerImage is the name that the tests give to the DaemonSet's image.
const installerImage = "docker.io/library/seccomp-hook:test"

// buildImage runs `make image` and returns what it prints, the image's digest.
func buildImage(t *testing.T, layout, shell string, env ...string) string {
	t.Helper()
	cmd := exec.Command("sh", "-c", shell+`; exec make --silent -C "$0" image IMAGE_DIR="$1" IMAGE="$2"`, integration.Root(t), layout, installerImage)
	cmd.Env = append(os.Environ(), env...)
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("make image: %v\n%s", err, log.Bytes())
	}
	return strings.TrimSpace(string(out))
}
