//go:build integration

package integration

import "github.com/opencontainers/runtime-spec/specs-go"

// The architecture of the machine, and the one whose programs it also runs, as
// package arch calls them.
const native, bits32 = "s390x", "s390"

// profiled are the architectures of the tests' profiles, profileArchitectures the
// same in JSON, and predicted those that a profile for this machine has tables of.
var profiled = []specs.Arch{specs.ArchS390X, specs.ArchS390}

const (
	profileArchitectures = `["SCMP_ARCH_S390X","SCMP_ARCH_S390"]`
	predicted            = "s390x s390"
)

// Calls that the tests make, by their numbers on either.
const (
	nrGetpid, nrGetpid32   = 20, 20
	nrKeyctl, nrKeyctl32   = 280, 280
	nrReboot               = 88
	nrUnshare, nrUnshare32 = 303, 303
)
