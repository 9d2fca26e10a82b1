// Makes system calls from its text and from a page of its own, as its arguments
// say (see Stray in dispatch_amd64_test.go). There is no libc; only types come
// from its headers.

#define _GNU_SOURCE
#include <signal.h>
#include <stddef.h>
#include <ucontext.h>

typedef unsigned long word;

enum {
	WRITE = 1, MMAP = 9, RT_SIGACTION = 13, RT_SIGRETURN = 15, FORK = 57, EXECVE = 59, WAIT4 = 61, PRCTL = 157, EXIT_GROUP = 231,
};

enum { EMULATED = 4242 };

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

#define CALL(nr, ...) call6(nr, (const word[6]){ __VA_ARGS__ })

static void quit(int status)
{
	for (;;)
		CALL(EXIT_GROUP, (word)status);
}

static int equal(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static word number(const char *s)
{
	word n = 0;

	for (; *s; s++)
		n = n * 10 + (word)(*s - '0');
	return n;
}

// say writes words and numbers as one line: what the child of a fork says must
// not be mixed with another's.
struct line {
	char text[160];
	word size;
};

static void say(struct line *l, const char *s)
{
	while (*s && l->size < sizeof(l->text))
		l->text[l->size++] = *s++;
}

static void say_number(struct line *l, long value)
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
	say(l, digits + i);
}

static void end_line(struct line *l)
{
	say(l, "\n");
	CALL(WRITE, 1, (word)l->text, l->size);
}

// page has "mov %edi, %eax", zeroes for arguments, "syscall; ret".
static unsigned char *page;

static const unsigned char stub[] = { 0x89, 0xf8, 0x31, 0xff, 0x31, 0xf6, 0x31, 0xd2, 0x0f, 0x05, 0xc3 };

// handler says what SIGSYS tells, and answers in the kernel's place.
static void handler(int signal, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	struct line l = { .size = 0 };

	say(&l, "sigsys ");
	say_number(&l, signal);
	say(&l, " code ");
	say_number(&l, info->si_code);
	say(&l, " errno ");
	say_number(&l, info->si_errno);
	say(&l, " call ");
	say_number(&l, info->si_syscall);
	say(&l, " arch ");
	say_number(&l, (long)info->si_arch);
	say(&l, " rax ");
	say_number(&l, (long)u->uc_mcontext.gregs[REG_RAX]);
	say(&l, " offset ");
	say_number(&l, (long)((unsigned char *)info->si_call_addr - page));
	end_line(&l);
	u->uc_mcontext.gregs[REG_RAX] = EMULATED;
}

void restore(void);
__asm__("restore:\n	mov $15, %eax\n	syscall\n");

static void handle(void)
{
	const struct {
		void (*handler)(int, siginfo_t *, void *);
		word flags;
		void (*restorer)(void);
		word mask;
	} action = { handler, 0x04000000 /* SA_RESTORER */ | SA_SIGINFO, restore, 0 };

	if (CALL(RT_SIGACTION, SIGSYS, (word)&action, 0, 8))
		quit(124);
}

static void map(void)
{
	page = (unsigned char *)CALL(MMAP, 0, 4096, 7 /* rwx */, 0x22 /* private, anonymous */, (word)-1, 0);
	for (word i = 0; i < sizeof(stub); i++)
		page[i] = stub[i];
}

static void result(const char *from, word nr, long value)
{
	struct line l = { .size = 0 };

	say(&l, from);
	say(&l, " ");
	say_number(&l, (long)nr);
	say(&l, ": ");
	say_number(&l, value);
	end_line(&l);
}

static char **environment;

static void act(char **argv)
{
	map();
	for (; *argv;) {
		const char *verb = *argv++;

		if (equal(verb, "text") && *argv) {
			word nr = number(*argv++);

			result("text", nr, CALL(nr, 0));
		} else if (equal(verb, "page") && *argv) {
			word nr = number(*argv++);

			result("page", nr, ((long (*)(word))page)(nr));
		} else if (equal(verb, "handle")) {
			handle();
		} else if (equal(verb, "off")) {
			result("off", PRCTL, CALL(PRCTL, 59 /* PR_SET_SYSCALL_USER_DISPATCH */, 0));
		} else if (equal(verb, "fork")) {
			int status = 0;
			long pid = CALL(FORK, 0);

			if (pid == 0) {
				CALL(WRITE, 1, (word) "child\n", 6);
				continue;
			}
			CALL(WAIT4, (word)pid, (word)&status);
			quit(status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff);
		} else if (equal(verb, "exec") && *argv) {
			quit((int)-CALL(EXECVE, (word)*argv, (word)argv, (word)environment));
		} else {
			quit(125);
		}
	}
	quit(0);
}

__attribute__((used, noreturn)) static void start(word *stack)
{
	char **argv = (char **)(stack + 1);

	environment = argv + *stack + 1;
	act(argv + 1);
	__builtin_unreachable();
}

__asm__(".globl _start\n_start:\n	mov %rsp, %rdi\n	and $-16, %rsp\n	call start\n");
