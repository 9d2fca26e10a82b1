//go:build linux

package orphan

import _ "embed"

//go:generate sh -c "command -v gcc >/dev/null || exit 0; gcc -c -o spawn/spawn_amd64.o spawn/spawn_amd64.S && ld --oformat binary -e 0x400000 -Ttext 0x400000 -o spawn/spawn_amd64.bin spawn/spawn_amd64.o && rm spawn/spawn_amd64.o && chmod 644 spawn/spawn_amd64.bin"

//go:embed spawn/spawn_amd64.bin
var spawner []byte
