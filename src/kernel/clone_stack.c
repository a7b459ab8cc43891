/* SPDX-License-Identifier: MIT */
#include "kernel/clone_stack.h"

#include <errno.h>
#include <sys/syscall.h>

#if defined(__x86_64__) && !defined(__ILP32__)
long clone3_on_stack(struct clone_args *a, int (*child)(void *), void *argument)
{
	register long rc __asm__("rax") = SYS_clone3;
	register void *start __asm__("r12") = argument;
	register int (*run)(void *) __asm__("r13") = child;

	__asm__ volatile("syscall\n\t"
			 "testq %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xorl %%ebp, %%ebp\n\t"
			 "movq %%r12, %%rdi\n\t"
			 "call *%[run]\n\t"
			 "hlt\n"
			 "1:"
			 : "+r"(rc)
			 : "D"(a), "S"(sizeof *a), "r"(start), [run] "r"(run)
			 : "rcx", "r11", "memory", "cc");
	return rc;
}
#elif defined(__aarch64__)
long clone3_on_stack(struct clone_args *a, int (*child)(void *), void *argument)
{
	register long number __asm__("x8") = SYS_clone3;
	register long x0 __asm__("x0") = (long)a;
	register long size __asm__("x1") = sizeof *a;
	register void *start __asm__("x19") = argument;
	register int (*run)(void *) __asm__("x20") = child;

	__asm__ volatile("svc #0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x29, xzr\n\t"
			 "mov x0, x19\n\t"
			 "blr x20\n\t"
			 "brk #1\n"
			 "1:"
			 : "+r"(x0)
			 : "r"(number), "r"(size), "r"(start), "r"(run)
			 : "memory", "cc", "x30");
	return x0;
}
#else
long clone3_on_stack(struct clone_args *a, int (*child)(void *), void *argument)
{
	(void)a;
	(void)child;
	(void)argument;
	return -ENOSYS;
}
#endif
