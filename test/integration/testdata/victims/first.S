// The first thing this program does is system call NR, without arguments; it
// exits with the call's errno. There is nothing before it that a filter which
// comes too late could miss. With TELL it writes the errno, one byte, to its
// standard output as well, for those who do not get its exit status.
	.globl _start
	.text
_start:
#ifdef __x86_64__
	mov	$NR, %eax
	xor	%edi, %edi
	xor	%esi, %esi
	xor	%edx, %edx
	syscall
	neg	%eax
	jns	1f
	xor	%eax, %eax
1:	mov	%eax, %edi
#ifdef TELL
	push	%rdi
	mov	$1, %eax		// write
	mov	$1, %edi
	mov	%rsp, %rsi
	mov	$1, %edx
	syscall
	pop	%rdi
#endif
	mov	$231, %eax		// exit_group
	syscall
#else
	mov	$NR, %eax
	xor	%ebx, %ebx
	xor	%ecx, %ecx
	xor	%edx, %edx
	int	$0x80
	neg	%eax
	jns	1f
	xor	%eax, %eax
1:	mov	%eax, %ebx
	mov	$252, %eax		// exit_group
	int	$0x80
#endif
	hlt
