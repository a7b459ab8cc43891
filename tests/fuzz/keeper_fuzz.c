/* SPDX-License-Identifier: MIT
 * Messages to the keeper, each behind its length in two bytes. Its list is not undone here: that would act.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "kernel/keep_message.h"

static void tell(struct keep_list *l, const uint8_t *data, size_t size)
{
	struct keep_message *m = malloc(size < KEEP_HEAD ? KEEP_HEAD : size);

	memcpy(m, data, size);
	if (size >= KEEP_HEAD)
		keep_handle(l, m, size - KEEP_HEAD, -1);
	free(m);
}

/* What is in the journal is what is on the list. */
static void check_journal(const struct keep_list *l)
{
	size_t size = (size_t)l->end, at = 0, offset, in_force = 0, on_list = 0;
	char *text = malloc(size + 1);
	uint32_t id;

	fuzz_require(pread(l->journal, text, size, 0) == (ssize_t)size);
	text[size] = '\0';
	while (keep_journal_next(text, size, &at, &id, &offset))
		in_force++;
	for (size_t i = 0; i < l->count; i++)
		on_list += l->slots[i].id != 0;
	fuzz_require(in_force == on_list);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct keep_list l = { .journal = fuzz_file(data, 0) };

	for (size_t length; size >= 2; data += length, size -= length) {
		length = (size_t)data[0] | (size_t)data[1] << 8;
		data += 2;
		size -= 2;
		length = length < size ? length : size;
		length = length < sizeof(struct keep_message) ? length : sizeof(struct keep_message);
		tell(&l, data, length);
	}
	check_journal(&l);
	for (size_t i = 0; i < l.count; i++)
		free(l.slots[i].line);
	free(l.slots);
	close(l.journal);
	return 0;
}
