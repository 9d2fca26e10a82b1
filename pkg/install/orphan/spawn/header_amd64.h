// The beginning of a static ELF file that is one segment, for `ld --oformat
// binary`: its program begins at start and ends at end.

	.set base, 0x400000

header:
	.byte 0x7f, 'E', 'L', 'F', 2, 1, 1, 0	// 64 bits, little-endian
	.quad 0
	.short 2, 62				// ET_EXEC, EM_X86_64
	.long 1
	.quad base + (start - header)
	.quad program_headers - header
	.quad 0
	.long 0
	.short 64, 56, 2, 0, 0, 0
program_headers:
	.long 1, 5				// PT_LOAD, R+X
	.quad 0, base, base, end - header, end - header, 4096
	.long 0x6474e551, 6			// PT_GNU_STACK, R+W
	.quad 0, 0, 0, 0, 0, 16
