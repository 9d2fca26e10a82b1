//go:build integration

package integration

import "github.com/opencontainers/runtime-spec/specs-go"

// The architecture of the machine, and the one whose programs it also runs, as
// package arch calls them.
const native, bits32 = "aarch64", "arm"

// profiled are the architectures of the tests' profiles, profileArchitectures the
// same in JSON, and predicted those that a profile for this machine has tables of.
var profiled = []specs.Arch{specs.ArchAARCH64, specs.ArchARM}

const (
	profileArchitectures = `["SCMP_ARCH_AARCH64","SCMP_ARCH_ARM"]`
	predicted            = "aarch64 arm"
)

// Calls that the tests make, by their numbers on either.
const (
	nrGetpid, nrGetpid32   = 172, 20
	nrKeyctl, nrKeyctl32   = 219, 311
	nrReboot               = 142
	nrUnshare, nrUnshare32 = 97, 337
)
