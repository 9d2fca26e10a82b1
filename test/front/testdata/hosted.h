/*
 * Comes before each file of the front where it is built as a hosted program, with
 * the sanitizers. These do not see what the kernel writes: here a system call that
 * writes is first checked to have the room that it is told of.
 */
#define call kernel_call
#include "system.h"
#undef call

#include <sanitizer/asan_interface.h>
#include <stdlib.h>

static inline void room(long at, long size)
{
	if (at && size > 0 && __asan_region_is_poisoned((void *)at, (size_t)size))
		abort();
}

static inline long call(long number, long a, long b, long c, long d, long e, long f)
{
	switch (number) {
	case __NR_read:
	case __NR_pread64:
	case __NR_getdents64:
		room(b, c);
		break;
	case __NR_readlinkat:
		room(c, d);
		break;
	case __NR_statx:
		room(e, sizeof(struct statx));
		break;
	case __NR_pipe2:
		room(a, 2 * sizeof(int));
		break;
	case __NR_socketpair:
		room(d, 2 * sizeof(int));
		break;
	case __NR_wait4:
		room(b, sizeof(int));
		break;
	case __NR_uname:
		room(a, 6 * 65); /* struct new_utsname */
	}
	return kernel_call(number, a, b, c, d, e, f);
}
