//go:build linux

package watch

import "github.com/cilium/ebpf/asm"

// hostABI is x86_64 with i386 and x32: arch/x86/include/asm/syscall.h.
var hostABI = &abi{
	native:     0xc000003e,
	compat:     0x40000003,
	number:     []string{"pt_regs", "orig_ax"},
	result:     []string{"pt_regs", "ax"},
	pointer:    []string{"pt_regs", "ip"},
	args:       [6][]string{{"pt_regs", "di"}, {"pt_regs", "si"}, {"pt_regs", "dx"}, {"pt_regs", "r10"}, {"pt_regs", "r8"}, {"pt_regs", "r9"}},
	compatArgs: [6][]string{{"pt_regs", "bx"}, {"pt_regs", "cx"}, {"pt_regs", "dx"}, {"pt_regs", "si"}, {"pt_regs", "di"}, {"pt_regs", "bp"}},
	x32:        true,
	clobbering: []string{"execve", "execveat", "rt_sigreturn", "sigreturn"},
	ending:     []string{"exit", "exit_group"},
	returning:  []string{"__do_sys_rt_sigreturn", "__do_compat_sys_sigreturn", "__do_compat_sys_rt_sigreturn", x32Function},
	forking:    []string{"clone", "clone3", "fork", "vfork"},
	isCompat: func(l *layout) asm.Instructions {
		const tsCompatBit = 1 // TS_COMPAT, arch/x86/include/asm/thread_info.h
		return asm.Instructions{
			asm.LoadMem(asm.R8, asm.R7, l.compatFlags, asm.Word),
			asm.RSh.Imm32(asm.R8, tsCompatBit),
			asm.And.Imm32(asm.R8, 1),
		}
	},
}

// compatMember holds the flag that isCompat looks at.
var compatMember = []string{"task_struct", "thread_info", "status"}

// x32Function is a function that kernels with x32 have.
const x32Function = "__do_compat_sys_x32_rt_sigreturn"
