/* SPDX-License-Identifier: MIT
 * luabox.sys.keeper: sysctls that several runs need at once.
 */
/***
@submodule luabox.sys.keeper
*/
#include "binding/keeper.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/keeper.h"
#include "kernel/util.h"

#define CLAIM_TYPE "luabox.sysctl_claim"

struct box_claim {
	struct box_fd h;
	int dir; /* locked until the value is set */
	int is_set;
	char name[KEEP_SYSCTL_NAME], value[KEEP_SYSCTL_VALUE], file[NAME_MAX + 1];
};

/* Without the value set nothing is to be put back, but the file must go. */
static int claim_release(lua_State *L)
{
	struct box_claim *c = lua_touserdata(L, 1);
	int abandoned = c->h.fd >= 0 && !c->is_set && c->h.owner == box_owner();

	if (abandoned) {
		keep_unlock_dir(c->dir);
		keep_sysctl_drop(c->dir, c->file, c->h.fd);
	}
	util_close(c->dir);
	c->dir = -1;
	return 0;
}

/***
The file that notes what a sysctl was, in this network namespace: the argument of the keeper's record.
To be told before `claim_sysctl`, which makes it, and again after it with the claim.
@function claim_file
@string name as in sysctl(8)
@treturn string
@raise luabox.error: EINVAL
@usage assert(luabox.sys.keeper.claim_file("kernel.hostname") == "sysctl-0-kernel!hostname")
*/
static int keeper_claim_file(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	char file[NAME_MAX + 1];
	int rc = keep_sysctl_file(name, file);

	if (rc < 0)
		return box_fail(L, rc, "set sysctl", name);
	lua_pushstring(L, file);
	return 1;
}

/***
Claim a sysctl that other runs may need too, and note the value that is there if this is the first.
Other runs' claims wait until `set` or `close`; so tell the keeper and set it at once.
@function claim_sysctl
@string name as in sysctl(8)
@string value
@treturn ?luabox.sysctl_claim nil if it has that value already, and not from luabox
@raise luabox.error: ENOENT for no such sysctl, EINVAL, EBUSY if another run holds it at another value
@usage assert(luabox.sys.keeper.claim_sysctl("kernel.ostype", "Linux") == nil)
*/
static int keeper_claim_sysctl(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1), *value = luaL_checkstring(L, 2);
	struct box_claim *c = box_handle_new(L, CLAIM_TYPE, sizeof *c);
	struct fault f;
	int rc;

	c->dir = -1; /* the handle is whole before it acquires */
	c->dir = keep_dir(1, &f);
	rc = c->dir < 0 ? c->dir : keep_sysctl_claim(c->dir, name, value, &c->h.fd, c->file, &f);
	if (c->dir >= 0 && c->h.fd < 0)
		keep_dir_leave(c->dir);
	if (rc < 0)
		return box_raise(L, &f);
	if (c->h.fd < 0)
		return 0;
	snprintf(c->name, sizeof c->name, "%s", name);
	snprintf(c->value, sizeof c->value, "%s", value);
	return 1;
}

/***
A claim on a sysctl. To close it before `set` is to give it up; after that the keeper's copy holds it.
@type luabox.sysctl_claim
*/

static struct box_claim *check_claim(lua_State *L)
{
	return box_handle_check(L, 1, CLAIM_TYPE);
}

/***
Set the sysctl to the value claimed.
@function set
@raise luabox.error: EACCES, EPERM, EROFS, EINVAL; the claim is given up then
@usage local sys = luabox.sys.keeper
local claim <close> = assert(sys.claim_sysctl("net.ipv4.ip_default_ttl", "77"))
claim:set()
claim:drop()
*/
static int claim_set(lua_State *L)
{
	struct box_claim *c = check_claim(L);
	struct fault f;

	luaL_argcheck(L, !c->is_set, 1, "the value is set already");
	c->is_set = 1;
	if (keep_sysctl_set(c->dir, c->name, c->value, &f) == 0)
		return 0;
	keep_sysctl_drop(c->dir, c->file, c->h.fd);
	return box_raise(L, &f);
}

/***
Give the claim up: the last run to do so puts back what was there, unless somebody has changed it since.
@function drop
@raise luabox.error: EXDEV if this process is in another network namespace now
@usage local sys = luabox.sys.keeper
local claim <close> = assert(sys.claim_sysctl("net.ipv4.ip_default_ttl", "77"))
claim:set()
claim:drop()
*/
static int claim_drop(lua_State *L)
{
	struct box_claim *c = check_claim(L);
	int rc;

	luaL_argcheck(L, c->is_set, 1, "the value is not set");
	rc = keep_sysctl_drop(c->dir, c->file, c->h.fd);
	return rc < 0 ? box_fail(L, rc, "put back sysctl", c->name) : 0;
}

static const luaL_Reg claim_methods[] = { { "drop", claim_drop }, { "set", claim_set }, { NULL, NULL } };

/* ---- what dead runs held ---- */

static int is_claim(const char *name)
{
	return !strncmp(name, KEEP_CLAIM, strlen(KEEP_CLAIM));
}

/***
The files in the state directory that note what sysctls were before runs set them.
@function claims
@treturn {string,...} names, in no order
@raise luabox.error: EPERM if the directory is open to others
@usage assert(type(luabox.sys.keeper.claims()) == "table")
*/
static int keeper_claims(lua_State *L)
{
	return keeper_push_names(L, is_claim);
}

/***
Put a sysctl back that no live run holds, and remove its file.
@function release_claim
@string file
@tparam[opt=false] boolean discard only remove the file: its namespace is gone
@treturn ?string nil if that is done, or live runs hold it; else the errno's symbol, `"EXDEV"` if it is of
another network namespace
@usage assert(luabox.sys.keeper.release_claim("sysctl-0-doc!none") == nil)
*/
static int keeper_release_claim(lua_State *L)
{
	const char *file = luaL_checkstring(L, 1);
	int discard = lua_toboolean(L, 2), dir, rc;
	struct fault f;

	luaL_argcheck(L, is_claim(file) && !strchr(file, '/'), 1, "not the name of a claim");
	dir = keep_dir(0, &f);
	if (dir < 0)
		return dir == -ENOENT ? 0 : box_raise(L, &f);
	rc = discard ? keep_sysctl_discard(dir, file) : keep_sysctl_drop(dir, file, -1);
	keep_dir_leave(dir);
	util_close(dir);
	return keeper_push_outcome(L, rc);
}

static const luaL_Reg functions[] = { { "claim_file", keeper_claim_file },
				      { "claim_sysctl", keeper_claim_sysctl },
				      { "claims", keeper_claims },
				      { "release_claim", keeper_release_claim },
				      { NULL, NULL } };

void keeper_add_claims(lua_State *L)
{
	box_handle_type(L, CLAIM_TYPE, claim_methods, claim_release);
	luaL_setfuncs(L, functions, 0);
}
