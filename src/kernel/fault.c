/* SPDX-License-Identifier: MIT */
#include "kernel/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The error of the last fault that nobody wanted to see; luabox has one thread. */
static int unseen;

int fault_set(struct fault *f, int error, const char *op, const char *subject, ...)
{
	va_list ap;

	if (!f) {
		unseen = error;
		return -error;
	}
	f->error = error;
	f->detail[0] = f->hint[0] = '\0';
	snprintf(f->op, sizeof f->op, "%s", op);
	va_start(ap, subject);
	vsnprintf(f->subject, sizeof f->subject, subject, ap);
	va_end(ap);
	return -error;
}

int fault_detail(struct fault *f, const char *sentence)
{
	if (!f)
		return -unseen;
	snprintf(f->detail, sizeof f->detail, "%s", sentence ? sentence : "");
	return -f->error;
}

int fault_hint(struct fault *f, const char *hint, ...)
{
	va_list ap;

	if (!f)
		return -unseen;
	va_start(ap, hint);
	vsnprintf(f->hint, sizeof f->hint, hint, ap);
	va_end(ap);
	return -f->error;
}
