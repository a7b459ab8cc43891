/* SPDX-License-Identifier: MIT
 * What the default root is made of, put in at build time: see BUSYBOX in the Makefile.
 */
#include "kernel/rootfs.h"

__asm__(".section .rodata.rootfs, \"a\"\n"
	".balign 4096\n"
	".hidden rootfs_busybox, rootfs_busybox_end\n"
	".global rootfs_busybox, rootfs_busybox_end\n"
	"rootfs_busybox:\n"
	".incbin \"" BUSYBOX "\"\n"
	"rootfs_busybox_end:\n"
	".byte 0\n"
	".previous\n");

const char rootfs_applets[] =
#include "busybox_applets.h"
	;
