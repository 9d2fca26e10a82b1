//go:build integration

package integration

import "github.com/opencontainers/runtime-spec/specs-go"

// The architecture of the machine, and the one whose programs it also runs, as
// package arch calls them.
const native, bits32 = "x86_64", "x86"

// profiled are the architectures of the tests' profiles, profileArchitectures the
// same in JSON, and predicted those that a profile for this machine has tables of.
var profiled = []specs.Arch{specs.ArchX86_64, specs.ArchX86, specs.ArchX32}

const (
	profileArchitectures = `["SCMP_ARCH_X86_64","SCMP_ARCH_X86","SCMP_ARCH_X32"]`
	predicted            = "x86_64 x86 x32"
)

// Calls that the tests make, by their numbers on either.
const (
	nrGetpid, nrGetpid32   = 39, 20
	nrKeyctl, nrKeyctl32   = 250, 288
	nrReboot               = 169
	nrUnshare, nrUnshare32 = 272, 310
)
