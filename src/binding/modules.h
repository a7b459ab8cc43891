/* SPDX-License-Identifier: MIT
 * The modules of luabox.sys, one line each: X(name). The program preloads them,
 * luabox.so exports them.
 */
#define BOX_MODULES(X)                                                                                       \
	X(capability)                                                                                        \
	X(cgroup)                                                                                            \
	X(error)                                                                                             \
	X(file)                                                                                              \
	X(ipc)                                                                                               \
	X(keeper)                                                                                            \
	X(mount)                                                                                             \
	X(namespace)                                                                                         \
	X(net)                                                                                               \
	X(nft)                                                                                               \
	X(options)                                                                                           \
	X(pcap)                                                                                              \
	X(port)                                                                                              \
	X(probe)                                                                                             \
	X(process)                                                                                           \
	X(rootfs)                                                                                            \
	X(seccomp)                                                                                           \
	X(signal)                                                                                            \
	X(system)                                                                                            \
	X(tar)

#define BOX_DECLARE(name) BOX_MODULE(name);
BOX_MODULES(BOX_DECLARE)
#undef BOX_DECLARE
