/* SPDX-License-Identifier: MIT
 * The command line: lua5.4's options, and --help and --version.
 */
#include <stdio.h>
#include <string.h>

#include "program.h"

#define OPTIONS                                                                                              \
	"usage: %s [options] [script [args]]\n"                                                              \
	"Available options are:\n"                                                                           \
	"  -e stat   execute string 'stat'\n"                                                                \
	"  -i        enter interactive mode after executing 'script'\n"                                      \
	"  -l mod    require library 'mod' into global 'mod'\n"                                              \
	"  -l g=mod  require library 'mod' into global 'g'\n"                                                \
	"  -v        show version information\n"                                                             \
	"  -E        ignore environment variables\n"                                                         \
	"  -W        turn warnings on\n"                                                                     \
	"  --        stop handling options\n"                                                                \
	"  -         stop handling options and execute stdin\n"

void program_options_usage(const char *name, const char *wrong)
{
	if (wrong[1] == 'e' || wrong[1] == 'l')
		fprintf(stderr, "%s: '%s' needs argument\n", name, wrong);
	else
		fprintf(stderr, "%s: unrecognized option '%s'\n", name, wrong);
	fprintf(stderr, OPTIONS, name);
}

void program_options_help(const char *name)
{
	printf(OPTIONS, name);
	printf("  --help    show this\n"
	       "  --version show the program's version\n"
	       "Commands, where no script has the name:\n"
	       "  doctor    say what is missing here to run containers\n"
	       "  enter     run a program in the namespaces of a process\n"
	       "  gc        undo what killed runs left\n"
	       "  ls        list namespaces\n"
	       "  map       draw the network namespaces and what is connected\n");
}

/* Reads the option at argv[i]; returns how many words it takes, or 0 if it is wrong. */
static int read_option(char **argv, int i, struct program_options *o)
{
	const char *option = argv[i];

	if (option[1] == 'e' || option[1] == 'l') {
		o->evaluates |= option[1] == 'e';
		if (option[2])
			return 1;
		return argv[i + 1] && argv[i + 1][0] != '-' ? 2 : 0;
	}
	o->help |= !strcmp(option, "--help");
	o->program_version |= !strcmp(option, "--version");
	o->ignore_environment |= !strcmp(option, "-E");
	o->interactive |= !strcmp(option, "-i");
	o->version |= !strcmp(option, "-v") || !strcmp(option, "-i");
	if (!strcmp(option, "--help") || !strcmp(option, "--version"))
		return 1;
	return option[1] && strchr("EWiv", option[1]) && !option[2];
}

void program_options_read(char **argv, struct program_options *o)
{
	int i = argv[0] != NULL;

	while (argv[i] && argv[i][0] == '-' && argv[i][1] && strcmp(argv[i], "--")) {
		int words = read_option(argv, i, o);

		if (!words) {
			o->wrong = argv[i];
			break;
		}
		i += words;
	}
	if (argv[i] && !strcmp(argv[i], "--"))
		i++;
	o->script = i;
}
