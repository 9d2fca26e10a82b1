// The createRuntime hook of announce.go without the Go runtime, whose start
// takes a container longer than all that the hook does. It is a whole static
// ELF file, headers included, for `ld --oformat binary`.
//
//	announce SOCKET FALLBACK    (argument 0 is handed on)
//
// It hands the state on standard input to the attendant that listens at SOCKET
// and exits with 0 if the answer is "+", and with 1 and the answer on standard
// error otherwise. Wherever there is no answer it executes FALLBACK, which is
// the Go program, with the first two arguments and the state on standard
// input: what then is to be done is written only once.

	.intel_syntax noprefix
	.code64
	.text

	.set buffer, 65536	// of the answer, on the stack
	.set scratch, 256	// behind it

#include "../../install/orphan/spawn/header_amd64.h"

start:
	mov	rax, [rsp]
	lea	rbp, [rsp + 8]			// rbp: argv
	sub	rsp, buffer + scratch
	cmp	rax, 3
	jne	fail

	// An attendant that ends must not end this process.
	lea	rsi, [rsp + buffer]
	mov	qword ptr [rsi], 1		// SIG_IGN
	mov	qword ptr [rsi + 8], 0
	mov	qword ptr [rsi + 16], 0
	mov	qword ptr [rsi + 24], 0
	mov	eax, 13				// rt_sigaction
	mov	edi, 13				// SIGPIPE
	xor	edx, edx
	mov	r10d, 8
	syscall

	// The state goes to memory, whence it can be had twice.
	mov	eax, 319			// memfd_create
	lea	rdi, [rip + name]
	mov	esi, 1				// MFD_CLOEXEC
	syscall
	test	rax, rax
	js	execute
	mov	r12d, eax			// r12: the memory
	xor	r13d, r13d			// r13: bytes in it
1:	mov	eax, 275			// splice
	xor	edi, edi
	xor	esi, esi
	mov	edx, r12d
	xor	r10d, r10d
	mov	r8d, 1 << 20
	xor	r9d, r9d
	syscall
	cmp	rax, -4				// EINTR
	je	1b
	test	rax, rax
	jz	2f
	js	3f
	add	r13, rax
	jmp	1b
3:	test	r13, r13			// not a pipe: nothing was read
	jz	execute
	jmp	fail

2:	mov	eax, 41				// socket
	mov	edi, 1				// AF_UNIX
	mov	esi, 0x80001			// SOCK_STREAM | SOCK_CLOEXEC
	xor	edx, edx
	syscall
	test	rax, rax
	js	fallback
	mov	r14d, eax			// r14: the socket
	lea	rdi, [rsp + buffer]
	mov	word ptr [rdi], 1
	add	rdi, 2
	mov	rsi, [rbp + 8]
	mov	ecx, 108			// sizeof sun_path
1:	lodsb
	stosb
	test	al, al
	jz	2f
	dec	ecx
	jnz	1b
	jmp	fallback
2:	lea	rsi, [rsp + buffer]
	mov	rdx, rdi
	sub	rdx, rsi
	mov	edi, r14d
	mov	eax, 42				// connect
	syscall
	test	rax, rax
	js	fallback

	mov	qword ptr [rsp + buffer], 0	// the offset
1:	mov	eax, 40				// sendfile
	mov	edi, r14d
	mov	esi, r12d
	lea	rdx, [rsp + buffer]
	mov	r10d, 1 << 20
	syscall
	cmp	rax, -4
	je	1b
	test	rax, rax
	js	fallback
	jnz	1b
	mov	eax, 48				// shutdown
	mov	edi, r14d
	mov	esi, 1				// SHUT_WR
	syscall

	xor	r15d, r15d			// r15: bytes of the answer
1:	mov	edx, buffer
	sub	edx, r15d
	jz	2f
	lea	rsi, [rsp + r15]
	mov	edi, r14d
	xor	eax, eax			// read
	syscall
	cmp	rax, -4
	je	1b
	test	rax, rax
	js	fallback
	jz	2f
	add	r15, rax
	jmp	1b
2:	test	r15, r15
	jz	fallback
	cmp	r15, 1
	jne	1f
	cmp	byte ptr [rsp], '+'
	jne	1f
	xor	edi, edi
	jmp	exit

1:	lea	rsi, [rip + prefix]
	mov	edx, prefix_end - prefix
	call	say
	lea	rsi, [rsp + 1]
	lea	rdx, [r15 - 1]
	call	say
	lea	rsi, [rip + newline]
	mov	edx, 1
	call	say
fail:	mov	edi, 1
exit:	mov	eax, 231			// exit_group
	syscall

say:	mov	eax, 1				// write
	mov	edi, 2
	syscall
	ret

fallback:
	mov	eax, 8				// lseek
	mov	edi, r12d
	xor	esi, esi
	xor	edx, edx
	syscall
	mov	eax, 33				// dup2
	mov	edi, r12d
	xor	esi, esi
	syscall
execute:
	lea	rsi, [rsp + buffer]
	mov	rax, [rbp]
	mov	[rsi], rax
	mov	rax, [rbp + 8]
	mov	[rsi + 8], rax
	mov	qword ptr [rsi + 16], 0
	mov	rdi, [rbp + 16]
	lea	rdx, [rbp + 32]			// behind the three arguments
	mov	eax, 59				// execve
	syscall
	jmp	fail

name:	.asciz "state"
prefix:	.ascii "seccomp-hook: "
prefix_end:
newline:
	.ascii "\n"
end:
