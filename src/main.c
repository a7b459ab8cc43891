/* SPDX-License-Identifier: MIT
 * The program: a Lua state with the library inside, a script or a prompt, an exit status.
 */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "binding/binding.h"
#include "kernel/limits.h"
#include "program.h"

static const char *progname = "luabox";

/* The words that run a module's main where no script of that name is. */
static const struct command {
	const char *name, *module;
} commands[] = {
	{ "doctor", "luabox.doctor" }, { "enter", "luabox.enter" },     { "gc", "luabox.gc" },
	{ "ls", "luabox.ls" },         { "map", "luabox.map_command" },
};

/* ---- running chunks ---- */

/* Runs the chunk that a luaL_load* function left with its status. True if all went well. */
static int run_chunk(lua_State *L, int status)
{
	if (status == LUA_OK)
		status = program_call(L, 0, 0);
	return program_report(L, status, progname) == LUA_OK;
}

static int run_string(lua_State *L, const char *text, const char *name)
{
	return run_chunk(L, luaL_loadbuffer(L, text, strlen(text), name));
}

/* ---- what the command line and the environment ask for ---- */

/* LUA_INIT_5_4, or LUA_INIT: a chunk, or "@file". */
static int run_init(lua_State *L)
{
	const char *name = "=LUA_INIT" LUA_VERSUFFIX, *init = getenv(name + 1);

	if (!init) {
		name = "=LUA_INIT";
		init = getenv(name + 1);
	}
	if (!init)
		return 1;
	return *init == '@' ? run_chunk(L, luaL_loadfile(L, init + 1)) : run_string(L, init, name);
}

/* "mod" or "g=mod": global g = require "mod". */
static int run_library(lua_State *L, const char *text)
{
	const char *equals = strchr(text, '='), *module = equals ? equals + 1 : text;
	int status;

	lua_getglobal(L, "require");
	lua_pushstring(L, module);
	status = program_call(L, 1, 1);
	if (program_report(L, status, progname) != LUA_OK)
		return 0;
	lua_pushlstring(L, text, equals ? (size_t)(equals - text) : strlen(text));
	lua_insert(L, -2);
	lua_pushglobaltable(L);
	lua_insert(L, -3);
	lua_settable(L, -3);
	lua_pop(L, 1);
	return 1;
}

/* The options that run code or change the state, in their order. */
static int run_options(lua_State *L, char **argv, int script)
{
	for (int i = 1; i < script; i++) {
		const char *text = argv[i] + 2;
		char option = argv[i][1];
		int ok;

		if (option == 'W')
			lua_warning(L, "@on", 0);
		if (option != 'e' && option != 'l')
			continue;
		if (!*text)
			text = argv[++i];
		ok = option == 'e' ? run_string(L, text, "=(command line)") : run_library(L, text);
		if (!ok)
			return 0;
	}
	return 1;
}

static void set_arg(lua_State *L, int argc, char **argv, int script)
{
	int zero = script < argc ? script : 0;

	lua_createtable(L, argc - zero, zero + 1);
	for (int i = 0; i < argc; i++) {
		lua_pushstring(L, argv[i]);
		lua_rawseti(L, -2, i - zero);
	}
	lua_setglobal(L, "arg");
}

/* Pushes arg[1] to arg[#arg], which code before the script may have changed. */
static int push_args(lua_State *L)
{
	int n;

	if (lua_getglobal(L, "arg") != LUA_TTABLE)
		return luaL_error(L, "'arg' is not a table");
	n = (int)luaL_len(L, -1);
	luaL_checkstack(L, n + 3, "too many arguments to script");
	for (int i = 1; i <= n; i++)
		lua_rawgeti(L, -i, i);
	lua_remove(L, -n - 1);
	return n;
}

/* Adds to the message that there is no such script the command that may have been meant. */
static void suggest_command(lua_State *L, const char *word)
{
	const char *best = NULL;
	size_t far = BOX_FAR;

	if (!access(word, F_OK) || errno != ENOENT)
		return;
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		box_keep_nearest(word, commands[i].name, &best, &far);
	if (!best)
		return;
	lua_pushfstring(L, "; did you mean the command '%s'?", best);
	lua_concat(L, 2);
}

static int run_script(lua_State *L, const char *name)
{
	int status = luaL_loadfile(L, name);

	if (status == LUA_ERRFILE && name)
		suggest_command(L, name);
	if (status == LUA_OK)
		status = program_call(L, push_args(L), 0);
	return program_report(L, status, progname) == LUA_OK;
}

/* ---- commands ---- */

/* The module of a command, if the word is one and names no script. */
static const char *command_module(const char *word)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (!strcmp(commands[i].name, word) && access(word, R_OK) < 0)
			return commands[i].module;
	return NULL;
}

/* require(module).main(arg...): returns the exit status, an integer or true or nothing. */
static int call_command(lua_State *L)
{
	lua_getglobal(L, "require");
	lua_insert(L, 1);
	lua_call(L, 1, 1);
	lua_getfield(L, 1, "main");
	lua_getglobal(L, "arg");
	lua_call(L, 1, 1);
	return 1;
}

static int run_command(lua_State *L, const char *module)
{
	int status;

	lua_pushcfunction(L, call_command);
	lua_pushstring(L, module);
	status = program_call(L, 1, 1);
	if (program_report(L, status, progname) != LUA_OK)
		return EXIT_FAILURE;
	if (lua_isinteger(L, -1))
		return (int)lua_tointeger(L, -1);
	return lua_isnil(L, -1) || lua_toboolean(L, -1) ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- main ---- */

#define HEAD_START 1024 /* KiB that are allocated before the first collection */

static void print_version(void)
{
	puts("luabox " LUABOX_VERSION "  " LUA_COPYRIGHT);
}

static void open_libraries(lua_State *L, const struct program_options *o)
{
	if (o->ignore_environment) {
		lua_pushboolean(L, 1); /* package.path and cpath ask for it */
		lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
	}
	/* Generational, as lua5.4; asked for while there is nothing to collect, since it collects all. */
	lua_gc(L, LUA_GCGEN, 0, 0);
	lua_gc(L, LUA_GCSTOP);
	luaL_openlibs(L);
	program_modules_open(L);
	program_calls_open(L);
	program_os_open(L);
	program_signals_open(L);
	lua_gc(L, LUA_GCRESTART);
	/* A step of minus so many KiB: a short script ends before there is enough to be worth collecting. */
	lua_gc(L, LUA_GCSTEP, -HEAD_START);
}

static int is_prompt(const struct program_options *o, int argc)
{
	return o->interactive || (o->script == argc && !o->evaluates && !o->version && isatty(STDIN_FILENO));
}

/* The script, a command or standard input, then the prompt. Returns the exit status. */
static int run_program(lua_State *L, int argc, char **argv, const struct program_options *o)
{
	const char *name = o->script < argc ? argv[o->script] : NULL;
	const char *module = name ? command_module(name) : NULL;

	if (!o->ignore_environment && !run_init(L))
		return EXIT_FAILURE;
	if (!run_options(L, argv, o->script))
		return EXIT_FAILURE;
	if (module)
		return run_command(L, module);
	if (name && !strcmp(name, "-") && strcmp(argv[o->script - 1], "--"))
		name = NULL;
	if (o->script < argc && !run_script(L, name))
		return EXIT_FAILURE;
	if (is_prompt(o, argc)) {
		if (!o->version)
			print_version();
		prompt_run(L);
	} else if (o->script == argc && !o->evaluates && !o->version &&
		   !run_chunk(L, luaL_loadfile(L, NULL))) {
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

/* What main does inside a protected call: argument 1 is argc, 2 argv. Returns the exit status. */
static int protected_main(lua_State *L)
{
	int argc = (int)lua_tointeger(L, 1);
	char **argv = lua_touserdata(L, 2);
	struct program_options o = { 0 };

	program_options_read(argv, &o);
	if (o.wrong) {
		program_options_usage(progname, o.wrong);
		lua_pushinteger(L, EXIT_FAILURE);
		return 1;
	}
	if (o.help)
		program_options_help(progname);
	else if (o.version || o.program_version)
		print_version();
	if (o.help || o.program_version)
		return 0;
	limits_raise();
	open_libraries(L, &o);
	set_arg(L, argc, argv, o.script);
	lua_pushinteger(L, run_program(L, argc, argv, &o));
	return 1;
}

int main(int argc, char **argv)
{
	lua_State *L = program_state_new();
	int status;

	if (argc > 0 && *argv[0])
		progname = argv[0];
	if (!L) {
		fprintf(stderr, "%s: cannot create state: not enough memory\n", progname);
		return EXIT_FAILURE;
	}
	lua_pushcfunction(L, protected_main);
	lua_pushinteger(L, argc);
	lua_pushlightuserdata(L, argv);
	status = lua_pcall(L, 2, 1, 0);
	program_report(L, status, progname);
	status = status == LUA_OK ? (int)lua_tointeger(L, -1) : EXIT_FAILURE;
	program_state_close(L);
	fflush(NULL);
	if (program_signals_ended_by())
		program_signals_die(program_signals_ended_by());
	return status;
}
