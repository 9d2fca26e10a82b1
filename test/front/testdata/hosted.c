/*
 * The whole front as a hosted program, for the sanitizers: it is built with a C
 * library, begins in main, and what the kernel would have put on the stack is of
 * that very size.
 */
#include "front.h"

#undef ENTRY
#define ENTRY(function)
/* The sanitizers have these. */
#define memset front_memset
#define memcpy front_memcpy
#include "main.c"
#undef memset
#undef memcpy

int main(int argc, char **argv, char **envp)
{
	int variables = 0;
	long *stack;

	while (envp[variables])
		variables++;
	stack = malloc((size_t)(argc + variables + 3) * sizeof *stack);
	if (!stack)
		return 1;
	stack[0] = argc;
	for (int i = 0; i <= argc; i++)
		stack[1 + i] = (long)argv[i];
	for (int i = 0; i <= variables; i++)
		stack[2 + argc + i] = (long)envp[i];
	start(stack);
}
