package lint

import "fmt"

// Severity says how much a finding matters.
type Severity uint8

// The severities, by their names in SARIF.
const (
	// Note: nothing is wrong, but the profile says more than it has to, or a
	// reviewer should know.
	Note Severity = iota
	// Warning: the profile likely does not mean what its author had in mind.
	Warning
	// Error: no container can be created with the profile.
	Error
)

var severityNames = [...]string{Note: "note", Warning: "warning", Error: "error"}

func (s Severity) String() string { return severityNames[s] }

// ParseSeverity reads a severity's name.
func ParseSeverity(name string) (Severity, error) {
	for s, known := range severityNames {
		if known == name {
			return Severity(s), nil
		}
	}
	return 0, fmt.Errorf("lint: unknown severity %q: must be note, warning or error", name)
}

// Rule is one thing that a profile is looked at for. Its ID does not change.
type Rule struct {
	ID       string
	Severity Severity
	// Summary is one line: what it finds.
	Summary string
	// Advice is what to do about a finding.
	Advice string
	// Source is why that is so: a part of the kernel or a runtime, a manual
	// page, a CVE.
	Source string
}

// Rules returns all rules, in the order in which findings of one place come.
func Rules() []*Rule {
	list := make([]*Rule, len(rules))
	for i := range rules {
		list[i] = &rules[i]
	}
	return list
}

// find returns the rule of that id. All ids in this package are in the table,
// which a test checks.
func find(id string) *Rule {
	for i := range rules {
		if rules[i].ID == id {
			return &rules[i]
		}
	}
	return nil
}

// rules is the table of everything that is looked for.
var rules = [...]Rule{
	{"refused", Error, "No container can be created with the profile.",
		"Change what the message names; runc refuses it as well.",
		"runc libcontainer/seccomp, libseccomp seccomp_rule_add(3)"},
	{"incomplete", Note, "The profile is too large to look at all of it.",
		"Split rules that have hundreds of conditions on one call.",
		"docs/lint.md"},

	{"unknown-property", Warning, "A property that the profile's form does not have: it is ignored.",
		"Remove it, or spell it as the form does.",
		"OCI runtime-spec, config-linux.md, Seccomp; moby/profiles/seccomp"},
	{"unknown-syscall", Warning, "A call that no architecture has: the rule is ignored for it.",
		"Spell it as the manual page does, or remove it.",
		"pkg/arch, from golang.org/x/sys/unix"},
	{"unknown-capability", Warning, "A capability that Linux does not have: includes with it never hold, excludes always.",
		"Write it in capital letters, with CAP_.",
		"capabilities(7)"},
	{"unknown-architecture", Warning, "An architecture that no machine is called: it never applies.",
		"In includes and excludes use Go's names for x86_64 and aarch64, amd64 and arm64, and libseccomp's for the others; in archMap OCI's.",
		"moby/profiles/seccomp, goToNative"},
	{"errno-ignored", Warning, "An errno with an action that takes none: it is ignored.",
		"Remove the errno, or make the action SCMP_ACT_ERRNO.",
		"runc libcontainer/specconv"},
	{"kernel-version", Warning, "A minKernel with three numbers: the third does not count, and moby refuses the profile.",
		"Write two numbers: \"4.8\".",
		"moby/profiles/seccomp, KernelVersion"},
	{"errno-zero", Warning, "errnoRet 0: the call is not made and reports success.",
		"Use an error that the caller expects; leave it only where a call shall be pretended.",
		"seccomp(2), SECCOMP_RET_ERRNO"},
	{"empty-rule", Warning, "A rule without names: it says nothing.",
		"Name calls, or remove the rule.",
		"OCI runtime-spec, config-linux.md, Seccomp"},
	{"nothing-allowed", Warning, "No call is allowed: no program can start.",
		"Allow what the program needs, execve and exit_group at least.",
		"execve(2)"},
	{"unused-value", Note, "A value that the comparison does not use.",
		"Remove valueTwo where the operator is not SCMP_CMP_MASKED_EQ; keep it within the mask where it is.",
		"seccomp_rule_add(3)"},
	{"empty-mask", Warning, "A mask of 0: the condition always holds.",
		"SCMP_CMP_MASKED_EQ has the mask in value, and what it is compared with in valueTwo: exchange the two.",
		"seccomp_rule_add(3)"},
	{"unused-flag", Note, "A flag that is left out when the filter is installed.",
		"Remove the flag.",
		"runc libcontainer/seccomp/patchbpf, filterFlags"},
	{"unused-listener", Note, "A listener, but no rule that notifies it.",
		"Remove listenerPath, or give a rule the action SCMP_ACT_NOTIFY.",
		"OCI runtime-spec, config-linux.md, Seccomp"},

	{"void-deny", Warning, "A rule that denies calls, which other rules allow all the same.",
		"Take the name out of the rule that allows it, or allow it there only under conditions.",
		"docs/libseccomp.md: an unconditional rule wins; a rule with the default action is dropped"},
	{"overruled", Warning, "A rule whose action is never taken, because other rules decide.",
		"Remove the rule, or the name from the rules that overrule it.",
		"docs/libseccomp.md: an unconditional rule wins, and of several the first"},
	{"never-true", Warning, "A rule whose conditions never hold.",
		"Correct the comparison, or remove the rule.",
		"seccomp_rule_add(3): comparisons are of unsigned numbers"},
	{"always-true", Warning, "Conditions that, taken together, always hold.",
		"Put what must hold at once into one range or mask: conditions on one argument are alternatives, and so are rules.",
		"CVE-2026-31431; runc libcontainer/seccomp, matchCall"},
	{"idle-condition", Note, "A condition without which the rule means the same.",
		"Remove the condition, or correct it.",
		"seccomp_rule_add(3)"},
	{"redundant", Note, "A rule, or a name in it, without which the profile means the same.",
		"Remove it.",
		"docs/lint.md"},
	{"overlap", Warning, "Of two rules that apply to one call the later one decides.",
		"Make the conditions exclude each other.",
		"docs/libseccomp.md: libseccomp orders rules by argument, operator and value"},
	{"truncated-argument", Warning, "A value with a higher bit set passes for another one and gets a milder action: the kernel takes 32 bits of the argument, the filter compares 64.",
		"Compare with SCMP_CMP_MASKED_EQ and the mask 4294967295, or list the values that are allowed.",
		"include/linux/syscalls.h"},
	{"sign-extension", Warning, "A negative constant that is written with 32 bits, where programs pass 64.",
		"Write it as a 64-bit number, 18446744073709551516 for -100; or compare with SCMP_CMP_MASKED_EQ and the mask 4294967295.",
		"include/linux/syscalls.h: the kernel takes an int, which C libraries extend with its sign"},

	{"sibling", Warning, "A call is restricted, and another one that does the same is allowed.",
		"Restrict all of them, with ENOSYS for those that programs can do without.",
		"pkg/spec/families.go, with a source for each family"},
	{"multiplexed", Warning, "A call is restricted, and socketcall or ipc makes it all the same: there its arguments are behind a pointer.",
		"Deny socketcall and ipc with ENOSYS by a rule of their own, or leave 32-bit x86 out of the architectures.",
		"socketcall(2), ipc(2); libseccomp, abi_rule_add"},
	{"missing-stand-in", Warning, "Older calls are allowed on an architecture that does not have them, and those that programs make there in their place are not.",
		"Allow the calls that are named as well.",
		"include/uapi/asm-generic/unistd.h; pkg/spec/families.go"},
	{"default-allow", Note, "The default action allows: the profile denies what it names, and nothing else.",
		"Allow what the program needs and deny the rest, with SCMP_ACT_ERRNO as defaultAction.",
		"Docker documentation, seccomp security profiles"},

	{"grant-user-namespace", Warning, "New user namespaces are allowed: in one a process has every capability, and reaches code of the kernel that is for root else.",
		"Allow clone and unshare without CLONE_NEWUSER only, and deny clone3 with ENOSYS, behind which its flags are.",
		"user_namespaces(7); CVE-2022-0185"},
	{"grant-io-uring", Warning, "io_uring is allowed: it makes calls that no filter sees.",
		"Deny io_uring_setup.",
		"io_uring(7); CVE-2024-0582; moby/profiles/seccomp leaves it out"},
	{"grant-bpf", Warning, "bpf is allowed.",
		"Allow it behind CAP_BPF in includes.",
		"bpf(2); CVE-2021-3490"},
	{"grant-perf", Warning, "perf_event_open is allowed: it measures other processes and the kernel.",
		"Allow it behind CAP_PERFMON in includes.",
		"perf_event_open(2); CVE-2013-2094"},
	{"grant-keyring", Warning, "Keyrings are allowed: keys are no namespace's, and a container shares those of its user.",
		"Deny keyctl, add_key and request_key.",
		"keyrings(7); CVE-2016-0728"},
	{"grant-ptrace", Note, "ptrace is allowed: before Linux 4.8 a tracer can change a call after the filter has seen it.",
		"Allow it from minKernel 4.8 on, or behind CAP_SYS_PTRACE in includes.",
		"ptrace(2); seccomp(2); Linux 4.8, kernel/seccomp.c"},
	{"grant-userfaultfd", Warning, "userfaultfd is allowed: it lets a process stop the kernel in the middle of a copy.",
		"Deny it.",
		"userfaultfd(2); Documentation/admin-guide/sysctl/vm.rst, unprivileged_userfaultfd"},
	{"grant-af-alg", Warning, "Sockets of the kernel's cryptography, AF_ALG, are allowed.",
		"Allow the families that are needed, AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK, one by one.",
		"socket(2); CVE-2026-31431"},
	{"grant-af-vsock", Warning, "Sockets to the hypervisor, AF_VSOCK, are allowed: they are no network namespace's.",
		"Allow the families that are needed, AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK, one by one.",
		"vsock(7)"},
	{"grant-open-by-handle", Warning, "open_by_handle_at is allowed: with CAP_DAC_READ_SEARCH it opens files outside of the container.",
		"Allow it behind CAP_DAC_READ_SEARCH in includes.",
		"open_by_handle_at(2)"},
	{"grant-mount", Warning, "Mounting is allowed.",
		"Allow it behind CAP_SYS_ADMIN in includes.",
		"mount(2), mount_namespaces(7)"},
	{"grant-module", Warning, "Kernel modules are allowed.",
		"Allow them behind CAP_SYS_MODULE in includes.",
		"init_module(2)"},
	{"grant-kexec", Warning, "Loading another kernel is allowed.",
		"Deny it.",
		"kexec_load(2)"},
	{"x32", Note, "x32 is listed.",
		"Leave it out, unless the image has x32 programs.",
		"CVE-2014-0038, which only x32 had"},
}
