// Installs the filter that is on its standard input, says so, waits for more
// input, and then makes the calls that have no end of their own, or another one
// than they began with (see Life in victim.go). x86_64 only; there is no libc.

typedef unsigned long word;

enum { READ = 0, WRITE = 1, SIGACTION = 13, SECCOMP = 317, PRCTL = 157, GETPID = 39, KILL = 62, WAIT4 = 61, CLONE = 56, CLONE3 = 435, EXECVE = 59, EXIT_GROUP = 231 };

static long call(word nr, word a, word b, word c, word d)
{
	long result;
	register word r10 __asm__("r10") = d;

	__asm__ volatile("syscall" : "=a"(result) : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
	return result;
}

static void handler(int number)
{
	if (number == 12) // SIGUSR2, of which who sends it wants to know
		call(WRITE, 1, (word) "h", 1, 0);
}

__asm__(".text\nrestorer:\n	mov $15, %eax\n	syscall\n");
void restorer(void);

static void handle(word number)
{
	struct { void (*handler)(int); word flags; void (*restorer)(void); word mask; } action = { handler, 0x14000000 /* RESTORER, RESTART */, restorer, 0 };

	call(SIGACTION, number, (word)&action, 0, 8);
}

static char stack[4096];
static volatile int thread = 1;

void life(char **argv)
{
	static char program[32768];
	static char *end[] = { "life", "end", 0 };
	struct { unsigned short length; char *filter; } fprog;
	char *none[] = { 0 };
	long pid, n;

	if (argv[1]) // executed by itself
		call(EXIT_GROUP, 0, 0, 0, 0);
	pid = call(GETPID, 0, 0, 0, 0);
	handle(10);
	handle(12);
	n = call(READ, 0, (word)program, sizeof(program), 0);
	fprog.length = (unsigned short)(n / 8);
	fprog.filter = program;
	call(PRCTL, 38 /* NO_NEW_PRIVS */, 1, 0, 0);
	if (n <= 0 || call(SECCOMP, 1, 0, (word)&fprog, 0))
		call(EXIT_GROUP, 1, 0, 0, 0);
	call(WRITE, 1, (word) "r", 1, 0);
	call(READ, 0, (word)program, 1, 0);

	for (int i = 0; i < 5; i++)
		call(KILL, (word)pid, 10, 0, 0);
	call(-1ul, 0, 0, 0, 0);
	call(-1ul, 0, 0, 0, 0);
	call(CLONE3, 0, 0, 0, 0);
	// A child has its parent's stack: it makes nothing but its call.
	__asm__ volatile("mov $58, %%eax\n	syscall\n	test %%eax, %%eax\n	jnz 1f\n"
			 "	mov $60, %%eax\n	xor %%edi, %%edi\n	syscall\n1:" ::: "rax", "rdi", "rcx", "r11", "memory");
	call(WAIT4, -1ul, 0, 0, 0);
	if (call(CLONE, 17 /* SIGCHLD */, 0, 0, 0) == 0)
		call(EXIT_GROUP, 3, 0, 0, 0);
	call(WAIT4, -1ul, 0, 0, 0);
	{
		register word cleared __asm__("r10") = (word)&thread; // CLONE_CHILD_CLEARTID

		__asm__ volatile("mov $56, %%eax\n	syscall\n	test %%eax, %%eax\n	jnz 1f\n"
				 "	mov $60, %%eax\n	xor %%edi, %%edi\n	syscall\n1:"
				 :: "D"(0x250f00), "S"(stack + sizeof(stack)), "d"(0), "r"(cleared) : "rax", "rcx", "r11", "memory");
	}
	while (thread)
		;
	call(EXECVE, (word) "/nonexistent", (word)none, (word)none, 0);
	call(EXECVE, (word) "/nonexistent", (word)none, (word)none, 0);
	call(EXECVE, (word) "/proc/self/exe", (word)end, (word)none, 0);
	call(EXIT_GROUP, 2, 0, 0, 0);
}

__asm__(".globl _start\n_start:\n	lea 8(%rsp), %rdi\n	and $-16, %rsp\n	call life\n");
