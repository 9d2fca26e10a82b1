package bundle_test

import (
	"fmt"
	"log"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/bundle"
)

func ExampleConfig_Apply() {
	config, err := bundle.Parse([]byte(`{
  "ociVersion": "1.2.0",
  "linux": {
    "seccomp": {"defaultAction": "SCMP_ACT_ALLOW"},
    "vendor": 1.50
  }
}`))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", config.Apply(bundle.Edit{
		RemoveSeccomp: true,
		Hooks:         []bundle.Hook{{Stage: bundle.CreateRuntime, Hook: specs.Hook{Path: "/usr/bin/seccomp-hook"}}},
		Annotations:   map[string]string{"io.seccomp-hook.verified": "true"},
	}))
	// Output:
	// {
	//   "ociVersion": "1.2.0",
	//   "linux": {
	//     "vendor": 1.50
	//   },"hooks":{"createRuntime":[{"path":"/usr/bin/seccomp-hook"}]},"annotations":{"io.seccomp-hook.verified":"true"}
	// }
}
