//go:build linux && !amd64 && !arm64

package install

// abis has no entry: on this architecture filters can be installed with Self
// alone; Installer.Install returns ErrUnsupported.
var abis []abi
