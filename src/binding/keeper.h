/* SPDX-License-Identifier: MIT
 * The parts of luabox.sys.keeper: the keeper itself (keeper.c), claims on sysctls
 * (keeper_claim.c), journals (keeper_journal.c).
 */
#ifndef LUABOX_BINDING_KEEPER_H
#define LUABOX_BINDING_KEEPER_H

#include "binding/binding.h"

/* Add a part's functions to the module's table at the top of the stack. */
void keeper_add_claims(lua_State *L);
void keeper_add_journals(lua_State *L);

/* Pushes the list of those names in the state directory that are 'wanted'. */
int keeper_push_names(lua_State *L, int (*wanted)(const char *name));

/* Pushes nothing for 0, else the symbol of -errno; returns how many. */
int keeper_push_outcome(lua_State *L, int rc);

#endif
