package hook_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/hook"
)

// A runtime hands the OCI state to its hooks on stdin. Here the hook only
// observes, which takes no privileges.
func Example() {
	dir, err := os.MkdirTemp("", "bundle")
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"ociVersion": "1.2.0"}`), 0o600); err != nil {
		log.Fatal(err)
	}
	state := fmt.Sprintf(`{
		"ociVersion": "1.2.0", "id": "c1", "status": "creating", "pid": %d, "bundle": %q,
		"annotations": {"io.seccomp-hook.profile": "builtin:docker"}
	}`, os.Getpid(), dir)

	result, err := hook.Run(context.Background(), strings.NewReader(state), hook.Options{
		Root:    filepath.Join(dir, "run"),
		Observe: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range []string{filter.AnnotationProfile, filter.AnnotationVerified, filter.AnnotationStore, filter.AnnotationInstallMode} {
		fmt.Println(name, result.Annotations[name])
	}
	if err := os.RemoveAll(dir); err != nil {
		log.Fatal(err)
	}
	// Output:
	// io.seccomp-hook.profile builtin:docker
	// io.seccomp-hook.verified true
	// io.seccomp-hook.store miss
	// io.seccomp-hook.install.mode observe
}
