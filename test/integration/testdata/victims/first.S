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
	hlt
#elif defined(__aarch64__)
	mov	x8, NR
	mov	x0, 0
	mov	x1, 0
	mov	x2, 0
	svc	0
	neg	w0, w0
	cmp	w0, 0
	csel	w0, w0, wzr, gt
#ifdef TELL
	sub	sp, sp, 16
	str	w0, [sp]
	mov	w19, w0
	mov	x8, 64			// write
	mov	x0, 1
	mov	x1, sp
	mov	x2, 1
	svc	0
	mov	w0, w19
#endif
	mov	x8, 94			// exit_group
	svc	0
	udf	0
#elif defined(__arm__)
	movw	r7, #NR
	mov	r0, #0
	mov	r1, #0
	mov	r2, #0
	svc	#0
	rsbs	r0, r0, #0
	movmi	r0, #0
	mov	r7, #248		// exit_group
	svc	#0
	udf	#0
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
	hlt
#endif
