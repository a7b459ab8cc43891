/* SPDX-License-Identifier: MIT
 * The prompt's history file: $XDG_STATE_HOME/luabox_history, or ~/.luabox_history.
 */
#ifndef LUABOX_PROMPT_HISTORY_H
#define LUABOX_PROMPT_HISTORY_H

#include <histedit.h>

/* The lines of former prompts; null without memory. */
History *prompt_history_open(void);

/* Writes the last thousand lines to the file, for its owner's eyes only. Null is allowed. */
void prompt_history_close(History *lines);

#endif
