package decompile_test

import (
	"fmt"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/decompile"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/verify"
)

// A program that denies socket(2) for the family 38, AF_ALG, and for all
// families from 40 on, as a profile.
func ExampleProfile() {
	native, _ := arch.ByName("riscv64")
	const socket = 198
	p := bpf.Program{
		bpf.Load(bpf.OffArch), bpf.Jump(bpf.JEQ, native.Audit, 1, 0), bpf.Ret(bpf.RetKillThread),
		bpf.Load(bpf.OffNr), bpf.Jump(bpf.JEQ, socket, 1, 0), bpf.Ret(bpf.RetAllow),
		bpf.Load(bpf.OffArgs + 4), bpf.Jump(bpf.JEQ, 0, 0, 4),
		bpf.Load(bpf.OffArgs), bpf.Jump(bpf.JGE, 40, 2, 0), bpf.Jump(bpf.JEQ, 38, 1, 0),
		bpf.Ret(bpf.RetAllow), bpf.Ret(bpf.Errno(97)),
	}
	r, err := decompile.Profile(verify.OfProgram(p, bpf.Little), decompile.Options{Native: native, Flags: spec.Flags{Unset: true}})
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := r.Profile.Encode(spec.FormRuntime)
	fmt.Printf("%d losses %v\n%s", len(r.Losses), err, text)
	// Output:
	// 0 losses <nil>
	// {
	//   "defaultAction": "SCMP_ACT_ALLOW",
	//   "architectures": [
	//     "SCMP_ARCH_RISCV64"
	//   ],
	//   "syscalls": [
	//     {
	//       "names": [
	//         "socket"
	//       ],
	//       "action": "SCMP_ACT_ERRNO",
	//       "errnoRet": 97,
	//       "args": [
	//         {
	//           "index": 0,
	//           "value": 38,
	//           "op": "SCMP_CMP_EQ"
	//         }
	//       ]
	//     },
	//     {
	//       "names": [
	//         "socket"
	//       ],
	//       "action": "SCMP_ACT_ERRNO",
	//       "errnoRet": 97,
	//       "args": [
	//         {
	//           "index": 0,
	//           "value": 40,
	//           "op": "SCMP_CMP_GE"
	//         }
	//       ]
	//     }
	//   ]
	// }
}
