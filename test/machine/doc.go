// Package machine runs the tests on other kernels and on another architecture
// than the host's: in machines that hack/vm.sh boots under QEMU's full emulation.
// What runs there are the same test binaries (go test -c) with the same product,
// cross-built; each test that runs in a machine is a subtest here. Emulated time
// proves verdicts, never speed.
package machine
