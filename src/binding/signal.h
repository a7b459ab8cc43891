/* SPDX-License-Identifier: MIT */
#ifndef LUABOX_BINDING_SIGNAL_H
#define LUABOX_BINDING_SIGNAL_H

#include <lua.h>

#include "kernel/signal.h"

/* The signal at 'arg', "TERM", "SIGTERM" or 15; 'fallback' if it is absent and not 0. */
int box_checksignal(lua_State *L, int arg, int fallback);

/* Pushes "TERM", or the number of one without a name. */
void box_push_signal(lua_State *L, int signal);

#endif
