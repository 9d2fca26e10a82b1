package filter_test

import (
	"fmt"
	"log"
	"maps"
	"slices"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/spec"
)

func Example() {
	x86, _ := arch.ByName("x86")
	f, err := filter.Build(filter.Request{
		Profile: "deny-unshare.json",
		Text: []byte(`{
			"defaultAction": "SCMP_ACT_ALLOW",
			"syscalls": [{"names": ["unshare"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]
		}`),
		Architectures: []*arch.Arch{x86},
		Kernel:        spec.KernelVersion{Major: 6, Minor: 18},
	})
	if err != nil {
		log.Fatal(err)
	}
	annotations := f.Annotations()
	for _, name := range slices.Sorted(maps.Keys(annotations)) {
		switch name {
		case filter.AnnotationProgramDigest, filter.AnnotationCompiler, filter.AnnotationInstructions:
			continue // they change with the compiler
		case "io.seccomp-hook.cache.x86.constant", "io.seccomp-hook.cache.x86.total":
			continue // they grow with the kernel
		}
		fmt.Println(name, annotations[name])
	}
	// Output:
	// io.seccomp-hook.cache.x86.cached 458
	// io.seccomp-hook.cache.x86.dynamic 0
	// io.seccomp-hook.profile deny-unshare.json
	// io.seccomp-hook.profile.sha256 b0085120458c0d71f4e804b6916154df794007645fb5e94f0274d82e56aa018d
	// io.seccomp-hook.verified true
}
