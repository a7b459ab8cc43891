/* SPDX-License-Identifier: MIT
 * What the files of the luabox program share; luabox.so has none of them.
 */
#ifndef LUABOX_PROGRAM_H
#define LUABOX_PROGRAM_H

#include <lauxlib.h>
#include <lua.h>
#include <signal.h>

/* ---- the state (program_state.c) ---- */

lua_State *program_state_new(void);

/* Runs what is left to be closed and collected; the memory ends with the process. */
void program_state_close(lua_State *L);

/* ---- calls with tracebacks (program_report.c) ---- */

/* Calls the function below 'nargs' arguments, with tracebacks. As lua_pcall. */
int program_call(lua_State *L, int nargs, int nresults);

/* Prints and pops the error that program_call left, if 'status' says that there is one. Returns
 * 'status'. 'name' goes in front (null: nothing does). */
int program_report(lua_State *L, int status, const char *name);

/* ---- options (program_options.c) ---- */

struct program_options {
	int interactive, version, evaluates, ignore_environment;
	int help, program_version; /* --help and --version */
	int script;                /* index of the script's name, or argc */
	const char *wrong;         /* the option that is wrong, or null */
};

void program_options_read(char **argv, struct program_options *o);
void program_options_usage(const char *name, const char *wrong);
void program_options_help(const char *name);

/* ---- modules (program_modules.c) ---- */

/* Puts luabox's modules into package.preload, and the global 'luabox', loaded at the first touch. */
void program_modules_open(lua_State *L);

/* ---- signals (program_signals.c) ---- */

/* SIGINT, SIGTERM and SIGHUP raise a luabox.error in whatever runs, from now on. One that was
 * ignored when the program started stays ignored (nohup, background jobs of scripts). */
void program_signals_open(lua_State *L);

/* From here on signals raise nothing, so that closing the state is not cut short. */
void program_signals_closing(void);

/* The signal whose error stands at 'index', or 0. */
int program_signals_raised(lua_State *L, int index);

/* The error at 'index' is raised again: if it is a signal's, it unwinds once more. */
void program_signals_again(lua_State *L, int index);

/* An error was caught and stands at 'index': if it was a signal's, the next signal raises again. */
void program_signals_caught(lua_State *L, int index);

/* As program_signals_raised; if there is one, the program is to end by it. */
int program_signals_uncaught(lua_State *L, int index);

/* The signal that the program is to end by, or 0. */
int program_signals_ended_by(void);

/* Forgets every signal that came: the prompt goes on after Ctrl-C. */
void program_signals_forget(lua_State *L);

/* A signal came and has not raised yet, or is being unwound from: the signal, or 0. */
int program_signals_current(void);

/* Holds the three signals back, so that one cannot come between a look at program_signals_current
 * and a ppoll that lets them in again. */
void program_signals_hold(sigset_t *before);

/* Ends the process by 'sig', so that its parent sees why. */
_Noreturn void program_signals_die(int sig);

/* Says that 'L' runs now, so that a signal's hook is set there; returns what ran before, for the
 * call that gives it back. A signal that waits moves along. */
lua_State *program_signals_enter(lua_State *L);

/* ---- replacements of standard functions ---- */

/* error, pcall, xpcall and coroutine's resume, wrap and close, which tell program_signals
 * what they run, catch and raise again (program_calls.c). */
void program_calls_open(lua_State *L);

/* os.exit, os.execute and io.popen (program_os.c). */
void program_os_open(lua_State *L);

/* ---- the prompt (prompt.c) ---- */

/* Reads, runs and prints until the end of input, or SIGTERM or SIGHUP. */
void prompt_run(lua_State *L);

#endif
