// Does what its arguments say (see Probe in victim.go), with the system calls
// that stand here and no other: there is no libc.

typedef unsigned long word;

#ifdef __x86_64__
enum { OPENAT = 257, READ = 0, WRITE = 1, CLOSE = 3, PAUSE = 34, CLONE = 56, EXECVE = 59, WAIT4 = 61, EXIT = 60, EXIT_GROUP = 231 };

static long call6(word nr, const word *a)
{
	long result;
	register word r10 __asm__("r10") = a[3];
	register word r8 __asm__("r8") = a[4];
	register word r9 __asm__("r9") = a[5];

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}
#elif defined(__aarch64__)
// There is no pause(2): PAUSE is ppoll(2) of nothing, which is as long.
enum { OPENAT = 56, READ = 63, WRITE = 64, CLOSE = 57, PAUSE = 73, CLONE = 220, EXECVE = 221, WAIT4 = 260, EXIT = 93, EXIT_GROUP = 94 };

static long call6(word nr, const word *a)
{
	register word x8 __asm__("x8") = nr;
	register word x0 __asm__("x0") = a[0];
	register word x1 __asm__("x1") = a[1];
	register word x2 __asm__("x2") = a[2];
	register word x3 __asm__("x3") = a[3];
	register word x4 __asm__("x4") = a[4];
	register word x5 __asm__("x5") = a[5];

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return (long)x0;
}
#elif defined(__arm__)
enum { OPENAT = 322, READ = 3, WRITE = 4, CLOSE = 6, PAUSE = 29, CLONE = 120, EXECVE = 11, WAIT4 = 114, EXIT = 1, EXIT_GROUP = 248 };

static long call6(word nr, const word *a)
{
	register word r7 __asm__("r7") = nr;
	register word r0 __asm__("r0") = a[0];
	register word r1 __asm__("r1") = a[1];
	register word r2 __asm__("r2") = a[2];
	register word r3 __asm__("r3") = a[3];
	register word r4 __asm__("r4") = a[4];
	register word r5 __asm__("r5") = a[5];

	__asm__ volatile("svc #0" : "+r"(r0) : "r"(r7), "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5) : "memory");
	return (long)r0;
}
#else
enum { OPENAT = 295, READ = 3, WRITE = 4, CLOSE = 6, PAUSE = 29, CLONE = 120, EXECVE = 11, WAIT4 = 114, EXIT = 1, EXIT_GROUP = 252 };

// The sixth argument travels in ebp, which an asm constraint cannot name.
long call6(word nr, const word *a);
__asm__(".text\n"
	"call6:\n"
	"	push %ebx\n	push %esi\n	push %edi\n	push %ebp\n"
	"	mov 20(%esp), %eax\n	mov 24(%esp), %ebp\n"
	"	mov (%ebp), %ebx\n	mov 4(%ebp), %ecx\n	mov 8(%ebp), %edx\n"
	"	mov 12(%ebp), %esi\n	mov 16(%ebp), %edi\n	mov 20(%ebp), %ebp\n"
	"	int $0x80\n"
	"	pop %ebp\n	pop %edi\n	pop %esi\n	pop %ebx\n"
	"	ret\n");
#endif

#define CALL(nr, ...) call6(nr, (const word[6]){ __VA_ARGS__ })

static word length(const char *s)
{
	word n = 0;

	while (s[n])
		n++;
	return n;
}

static int equal(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static int begins(const char *s, const char *with)
{
	while (*with)
		if (*s++ != *with++)
			return 0;
	return 1;
}

static void quit(int status)
{
	CALL(EXIT_GROUP, (word)status);
	for (;;)
		CALL(EXIT, (word)status);
}

static void say(const char *s)
{
	CALL(WRITE, 1, (word)s, length(s));
}

static void say_number(long value)
{
	char digits[24];
	int i = sizeof(digits);
	word rest = value < 0 ? -(word)value : (word)value;

	digits[--i] = 0;
	do {
		digits[--i] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	if (value < 0)
		digits[--i] = '-';
	say(digits + i);
}

// number reads a decimal or 0x number that is the whole of s.
static int number(const char *s, word *value)
{
	word base = 10, n = 0;

	if (begins(s, "0x"))
		base = 16, s += 2;
	if (!*s)
		return 0;
	for (; *s; s++) {
		word digit = *s >= '0' && *s <= '9' ? (word)(*s - '0') : *s >= 'a' && *s <= 'f' ? (word)(*s - 'a' + 10) : 99;

		if (digit >= base)
			return 0;
		n = n * base + digit;
	}
	*value = n;
	return 1;
}

static void status(void)
{
	static char text[16384];
	static const char *const keys[] = { "Uid:", "NoNewPrivs:", "Seccomp:", "Seccomp_filters:", "Cap" };
	word size = 0;
	long got, fd = CALL(OPENAT, 0, (word) "/proc/self/status", 0);

	if (fd < 0) {
		say("status: ");
		say_number(fd);
		say("\n");
		return;
	}
	while ((got = CALL(READ, (word)fd, (word)(text + size), sizeof(text) - 1 - size)) > 0)
		size += (word)got;
	CALL(CLOSE, (word)fd);
	for (char *line = text; *line;) {
		char *end = line;

		while (*end && *end != '\n')
			end++;
		for (unsigned k = 0; k < sizeof(keys) / sizeof(*keys); k++)
			if (begins(line, keys[k]))
				CALL(WRITE, 1, (word)line, (word)(end - line + 1));
		line = *end ? end + 1 : end;
	}
}

// call makes the call that the numbers from argv on say, prints its result,
// and returns what follows the numbers.
static char **call(char **argv)
{
	word nr, args[6] = { 0 };
	long result;

	if (!*argv || !number(*argv, &nr))
		quit(125);
	say("call ");
	say(*argv++);
	for (int i = 0; i < 6 && *argv && number(*argv, &args[i]); i++)
		argv++;
	say(": ");
	result = call6(nr, args);
	say_number(result);
	say("\n");
	return argv;
}

// child goes on in a new process; the old one ends as the new one does.
static void child(void)
{
	int status = 0;
	long pid = CALL(CLONE, 17 /* SIGCHLD */);

	if (pid == 0)
		return;
	if (pid < 0)
		quit((int)-pid);
	CALL(WAIT4, (word)pid, (word)&status);
	quit(status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff);
}

static char **environment;

static void act(char **argv)
{
	for (; *argv;) {
		const char *verb = *argv++;
		word n;

		if (equal(verb, "status")) {
			status();
		} else if (equal(verb, "call")) {
			argv = call(argv);
		} else if (equal(verb, "say") && *argv) {
			say(*argv++);
			say("\n");
		} else if (equal(verb, "exec") && *argv) {
			quit((int)-CALL(EXECVE, (word)*argv, (word)argv, (word)environment));
		} else if (equal(verb, "fork")) {
			child();
		} else if (equal(verb, "pause")) {
			CALL(PAUSE, 0);
		} else if (equal(verb, "exit") && *argv && number(*argv, &n)) {
			quit((int)n);
		} else {
			say("probe: what is ");
			say(verb);
			say("?\n");
			quit(125);
		}
	}
	quit(0);
}

// start is entered with the stack as the kernel leaves it: argc, argv, 0,
// environment, 0.
__attribute__((used, noreturn)) static void start(word *stack)
{
	char **argv = (char **)(stack + 1);

	environment = argv + *stack + 1;
	act(argv + 1);
	__builtin_unreachable();
}

#ifdef __x86_64__
__asm__(".globl _start\n_start:\n	mov %rsp, %rdi\n	and $-16, %rsp\n	call start\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n	mov x0, sp\n	bl start\n");
#elif defined(__arm__)
__asm__(".globl _start\n_start:\n	mov r0, sp\n	bic sp, sp, #7\n	bl start\n");
#else
__asm__(".globl _start\n_start:\n	mov %esp, %eax\n	and $-16, %esp\n	sub $12, %esp\n	push %eax\n	call start\n");
#endif
