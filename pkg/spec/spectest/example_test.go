package spectest_test

import (
	"fmt"
	"math/rand/v2"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/spec/spectest"
)

// A random profile, what it means, and calls made to take it apart.
func Example() {
	riscv64, _ := arch.ByName("riscv64")
	archs := []*arch.Arch{riscv64}
	r := rand.New(rand.NewPCG(11, 0))
	profile := spectest.Profile(r, spectest.Options{Archs: archs, Shape: spectest.OneArgument})
	policy, err := profile.Resolve(spec.Target{Archs: archs})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(policy)
	sampler := spectest.NewSampler(profile, archs)
	met := 0
	for range 100 {
		call := sampler.Call(r)
		if policy.Evaluate(&call) != profile.Default {
			met++
		}
	}
	fmt.Println(met, "of 100 calls do not get the default action")
	// Output:
	// riscv64 0xc00000f3:
	// 	0-28                  io_setup..inotify_rm_watch ERRNO(1)
	// 	29                    ioctl TRAP (rule 0)
	// 	30-62                 ioprio_set..lseek ERRNO(1)
	// 	63                    read depends
	// 		a4 <= 0x8000000000000002: ERRNO(4094) (rule 1)
	// 		a4 <= 0x8000000000000002: ERRNO(4094) (rule 1)
	// 		a4 <= 0x8000000080000000: ERRNO(4094) (rule 1)
	// 		a4 != 0x8000000000000000: ERRNO(4094) (rule 2)
	// 		else ERRNO(1)
	// 	64-0xffffffff         write..rseq_slice_yield ERRNO(38)
	// other: KILL_THREAD
	// 79 of 100 calls do not get the default action
}
