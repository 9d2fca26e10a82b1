// What forkTwice of orphan.go does, in a process so small that forking it takes
// no time: a Go program's page tables have to be copied, twice. It is a whole
// static ELF file, headers included, for `ld --oformat binary`.
//
//	spawn PROGRAM ARGUMENT0...
//
// It forks, ends with the fork's errno as exit status, and in the child
// executes PROGRAM in a session of its own. PROGRAM may be descriptor 0
// (/proc/self/fd/0), which the program does not get.

	.intel_syntax noprefix
	.code64
	.text

#include "header_amd64.h"

start:
	mov	eax, 57				// fork
	syscall
	mov	edi, eax
	test	eax, eax
	jz	child
	neg	edi				// an errno …
	js	done
	jmp	exit
done:	xor	edi, edi			// … or, of a process id, nothing
exit:	mov	eax, 231			// exit_group
	syscall

child:	mov	eax, 112			// setsid
	syscall
	mov	eax, 72				// fcntl
	xor	edi, edi
	mov	esi, 2				// F_SETFD
	mov	edx, 1				// FD_CLOEXEC
	syscall
	mov	rcx, [rsp]			// argc
	mov	rdi, [rsp + 16]			// PROGRAM
	lea	rsi, [rsp + 24]			// its arguments
	lea	rdx, [rsp + rcx * 8 + 16]	// the environment, behind ours
	mov	eax, 59				// execve
	syscall
	mov	edi, 1
	jmp	exit
end:
