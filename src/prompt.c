/* SPDX-License-Identifier: MIT
 * The prompt: lines from libedit on a terminal, plain lines otherwise; expressions are printed.
 */
#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "program.h"
#include "prompt_history.h"

struct prompt {
	lua_State *L;
	const char *text; /* what stands before the line */
	EditLine *editor; /* null: input is no terminal */
	History *history;
	char *line; /* without an editor: getline's */
	size_t size;
};

/* ---- reading a line ---- */

static char *prompt_text(EditLine *editor)
{
	struct prompt *p;

	el_get(editor, EL_CLIENTDATA, &p);
	return (char *)(uintptr_t)p->text;
}

/* Reads one byte, or returns 0 at the end, or -1 when a signal came. */
static int read_byte(char *byte)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	sigset_t before;
	int rc = -1;

	program_signals_hold(&before);
	while (rc < 0 && !program_signals_current()) {
		rc = ppoll(&input, 1, NULL, &before);
		if (rc < 0 && errno != EINTR)
			break;
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return rc < 0 ? -1 : (int)read(STDIN_FILENO, byte, 1);
}

/* libedit's own reads on after a signal; this one gives the line up. */
static int read_character(EditLine *editor, wchar_t *character)
{
	mbstate_t state = { 0 };
	size_t length;
	char byte;
	int rc;

	(void)editor;
	do {
		rc = read_byte(&byte);
		if (rc <= 0)
			return rc;
		length = mbrtowc(character, &byte, 1, &state);
	} while (length == (size_t)-2);
	if (length == (size_t)-1)
		*character = L'?';
	return 1;
}

/* The next line with its newline, or null: the end, or a signal. */
static const char *read_line(struct prompt *p, const char *text)
{
	int length;

	p->text = text;
	if (p->editor) {
		el_resize(p->editor);
		el_set(p->editor, EL_PREP_TERM, 1); /* before the prompt is seen: no Ctrl-D is lost */
		return el_gets(p->editor, &length);
	}
	fputs(text, stdout);
	fflush(stdout);
	return getline(&p->line, &p->size, stdin) < 0 ? NULL : p->line;
}

/* ---- completion ---- */

/* Prints the candidates below the line: the table at the top of the stack. */
static void print_candidates(lua_State *L)
{
	lua_Integer n = luaL_len(L, -1);

	putchar('\n');
	for (lua_Integer i = 1; i <= n; i++) {
		lua_geti(L, -1, i);
		printf("%s%s", lua_tostring(L, -1), i < n ? "  " : "\n");
		lua_pop(L, 1);
	}
	fflush(stdout);
}

/* luabox.complete(line up to the cursor) gives what to insert, and the candidates. */
static unsigned char complete(EditLine *editor, int key)
{
	const LineInfo *line = el_line(editor);
	unsigned char action = CC_ERROR;
	struct prompt *p;
	lua_State *L;

	(void)key;
	el_get(editor, EL_CLIENTDATA, &p);
	L = p->L;
	lua_getglobal(L, "require");
	lua_pushliteral(L, "luabox.complete");
	if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
		lua_pop(L, 1);
		return CC_ERROR;
	}
	lua_pushlstring(L, line->buffer, (size_t)(line->cursor - line->buffer));
	if (lua_pcall(L, 1, 2, 0) != LUA_OK) {
		lua_pop(L, 1);
		return CC_ERROR;
	}
	if (*lua_tostring(L, -2)) {
		el_insertstr(editor, lua_tostring(L, -2));
		action = CC_REFRESH;
	} else if (luaL_len(L, -1) > 1) {
		print_candidates(L);
		action = CC_REDISPLAY;
	}
	lua_pop(L, 2);
	return action;
}

/* ---- one statement ---- */

/* A syntax error at the end of the text: more lines may mend it. */
static int is_incomplete(lua_State *L, int status)
{
	static const char mark[] = "<eof>";
	size_t length, m = sizeof mark - 1;
	const char *message;

	if (status != LUA_ERRSYNTAX)
		return 0;
	message = lua_tolstring(L, -1, &length);
	return length >= m && !strcmp(message + length - m, mark);
}

/* Loads the text at stack index 1 as an expression, or as a statement. */
static int load_text(lua_State *L)
{
	size_t length;
	const char *text = lua_pushfstring(L, "return %s", lua_tostring(L, 1));
	int status = luaL_loadbufferx(L, text, strlen(text), "=stdin", "t");

	lua_remove(L, -2);
	if (status == LUA_OK)
		return status;
	lua_pop(L, 1);
	text = lua_tolstring(L, 1, &length);
	return luaL_loadbufferx(L, text, length, "=stdin", "t");
}

static void remember(struct prompt *p, const char *line)
{
	HistEvent event;

	if (p->history && line[strspn(line, " \t\n")])
		history(p->history, &event, H_ENTER, line);
}

/* _PROMPT or _PROMPT2, as lua5.4's. Leaves it on the stack. */
static const char *push_prompt(lua_State *L, int first)
{
	if (lua_getglobal(L, first ? "_PROMPT" : "_PROMPT2") != LUA_TNIL)
		return luaL_tolstring(L, -1, NULL);
	return lua_pushstring(L, first ? "> " : ">> ");
}

/* Reads lines until they are a chunk. Leaves the loaded function or the message at the top and
 * luaL_load's status, or returns -1: the end, or a signal. */
static int read_chunk(struct prompt *p)
{
	lua_State *L = p->L;
	int status;

	lua_settop(L, 0);
	lua_pushliteral(L, ""); /* index 1: the text up to here */
	for (int first = 1;; first = 0) {
		const char *line = read_line(p, push_prompt(L, first));

		if (!line)
			return -1;
		remember(p, line);
		lua_settop(L, 1);
		lua_pushstring(L, line);
		lua_concat(L, 2);
		status = load_text(L);
		if (!is_incomplete(L, status))
			return status;
		lua_settop(L, 1);
	}
}

/* Prints the values on the stack above 'base' through luabox.show. */
static int print_results(lua_State *L, int base)
{
	int n = lua_gettop(L) - base, status;

	if (n == 0)
		return LUA_OK;
	luaL_checkstack(L, 3, "too many results to print");
	lua_getglobal(L, "require");
	lua_pushliteral(L, "luabox.show");
	status = program_call(L, 1, 1);
	if (status != LUA_OK)
		return status;
	lua_getfield(L, -1, "print");
	lua_remove(L, -2);
	lua_insert(L, base + 1);
	return program_call(L, n, 0);
}

/* Runs the chunk at the top. True if the prompt goes on. */
static int run_chunk(lua_State *L, int status)
{
	int base = lua_gettop(L) - 1;

	if (status == LUA_OK)
		status = program_call(L, 0, LUA_MULTRET);
	if (status == LUA_OK)
		status = print_results(L, base);
	fflush(stdout);
	program_report(L, status, NULL);
	if (program_signals_ended_by() && program_signals_ended_by() != SIGINT)
		return 0;
	program_signals_forget(L);
	return 1;
}

static int no_op(lua_State *L)
{
	(void)L;
	return 0;
}

/* There is no line: SIGINT drops what was typed; the end of input or another signal, whose hook
 * raises in the next call, ends the prompt. True if it goes on. */
static int hear_signal(lua_State *L)
{
	if (program_signals_current() == SIGINT) {
		program_signals_forget(L);
		clearerr(stdin);
		putchar('\n');
		return 1;
	}
	lua_pushcfunction(L, no_op);
	program_report(L, program_call(L, 0, 0), NULL);
	return 0;
}

/* ---- the whole ---- */

static void open_editor(struct prompt *p)
{
	setlocale(LC_CTYPE, "");
	p->editor = el_init("luabox", stdin, stdout, stderr);
	if (!p->editor)
		return;
	p->history = prompt_history_open();
	el_set(p->editor, EL_CLIENTDATA, p);
	el_set(p->editor, EL_PROMPT, prompt_text);
	el_set(p->editor, EL_EDITOR, "emacs");
	el_set(p->editor, EL_GETCFN, read_character);
	el_wset(p->editor, EL_ADDFN, L"complete", L"complete a name", complete); /* el_set leaks copies */
	el_set(p->editor, EL_BIND, "^I", "complete", NULL);
	el_set(p->editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
	if (p->history)
		el_set(p->editor, EL_HIST, history, p->history);
	el_source(p->editor, NULL);
}

void prompt_run(lua_State *L)
{
	struct prompt p = { .L = L };
	int status, go_on = 1;

	if (isatty(STDIN_FILENO))
		open_editor(&p);
	while (go_on) {
		status = read_chunk(&p);
		go_on = status < 0 ? hear_signal(L) : run_chunk(L, status);
	}
	putchar('\n');
	fflush(stdout);
	prompt_history_close(p.history);
	if (p.editor)
		el_end(p.editor);
	free(p.line);
}
