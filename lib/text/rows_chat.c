#include <string.h>

#include "text/rows.h"

/* The messages in a slot, or a string there as one message of the user. */
static int read_slot(struct layout_reading *r, enum layout_slot slot, struct layout_part *part)
{
	struct chat_message *m;

	if (json_kind(r->value[slot]) != JSON_STRING)
		return chat_read(r->key[slot], r->value[slot], &part->messages, &part->n, r->arena, r->fault, r->err);
	m = arena_new(r->arena, 1, sizeof *m, r->err);
	if (!m)
		return -1;
	*m = (struct chat_message){.role = "user"};
	m->content = json_string(r->value[slot], &m->len);
	*part = (struct layout_part){.messages = m, .n = 1};
	return 1;
}

/* The system's text of the row goes before a prompt that has none of its own. */
static int add_system(struct layout_reading *r, struct layout_part *part)
{
	struct chat_message *m;
	size_t n = 0;
	const char *text = json_string(r->value[SLOT_SYSTEM], &n);

	if (!n || (part->n && !strcmp(part->messages[0].role, "system")))
		return 1;
	m = arena_new(r->arena, part->n + 1, sizeof *m, r->err);
	if (!m)
		return -1;
	m[0] = (struct chat_message){.role = "system", .content = text, .len = n};
	memcpy(m + 1, part->messages, part->n * sizeof *m);
	part->messages = m;
	part->n++;
	return 1;
}

static size_t common_messages(const struct layout_part *a, const struct layout_part *b)
{
	size_t n = 0;

	while (n < a->n && n < b->n && chat_same(&a->messages[n], &b->messages[n]))
		n++;
	return n;
}

/* Takes the first n messages off; the rest is the completion. */
static void drop_messages(struct layout_part *part, size_t n)
{
	part->messages += n;
	part->n -= n;
}

/* Both completions hold the whole conversation, and the prompt is what they share. */
static int split_lists(struct layout_reading *r)
{
	struct layout_part *parts = r->row->parts;
	size_t n = common_messages(&parts[1], &parts[2]);

	if (n == parts[1].n && n == parts[2].n)
		return fault_set(r->fault, FAULT_IDENTICAL, "chosen and rejected are the same");
	if (n == parts[1].n || n == parts[2].n)
		return fault_set(r->fault, FAULT_PREFIX, "%s is how %s begins: where does the prompt end?",
			n == parts[1].n ? "chosen" : "rejected", n == parts[1].n ? "rejected" : "chosen");
	if (n == 0)
		return fault_set(r->fault, FAULT_NO_PROMPT, "chosen and rejected have no message in common");
	parts[0] = (struct layout_part){.messages = parts[1].messages, .n = n};
	drop_messages(&parts[1], n);
	drop_messages(&parts[2], n);
	return 1;
}

int rows_read_implicit_chat(struct layout_reading *r)
{
	int rc = rows_new_parts(r, 2);

	if (rc == 1)
		rc = read_slot(r, SLOT_CHOSEN, &r->row->parts[1]);
	if (rc == 1)
		rc = read_slot(r, SLOT_REJECTED, &r->row->parts[2]);
	if (rc == 1)
		rc = split_lists(r);
	return rc == 1 ? rows_judge(r) : rc;
}

static bool all_answer(const struct layout_row *row)
{
	for (int i = 1; i <= row->k; i++)
		if (!row->parts[i].n || strcmp(row->parts[i].messages[0].role, "assistant"))
			return false;
	return true;
}

/* A prompt that is one string, which must then be a message of the user in what the lists share. */
static int find_prompt(struct layout_reading *r)
{
	struct layout_part *parts = r->row->parts, prompt = parts[0];
	int rc = 1;

	if (r->row->k == 2) {
		rc = split_lists(r);
	} else {
		parts[0] = (struct layout_part){.messages = parts[1].messages, .n = parts[1].n ? parts[1].n - 1 : 0};
		drop_messages(&parts[1], parts[0].n);
	}
	for (size_t i = 0; rc == 1 && i < parts[0].n; i++)
		if (chat_same(&parts[0].messages[i], &prompt.messages[0]))
			return 1;
	return rc < 1 ? rc
		      : fault_set(r->fault, FAULT_PROMPT_DIFFERS, "'%s' is no message of the user that %s",
				r->key[SLOT_PROMPT], r->row->k == 2 ? "chosen and rejected share" : "the list holds");
}

/* The prompt, and lists that are completions, or that hold the prompt too. */
int rows_read_explicit_chat(struct layout_reading *r)
{
	bool one = r->value[SLOT_COMPLETION] != NULL;
	struct layout_part *parts;
	int rc = rows_new_parts(r, one ? 1 : 2);

	parts = r->row->parts;
	if (rc == 1)
		rc = read_slot(r, SLOT_PROMPT, &parts[0]);
	if (rc == 1)
		rc = read_slot(r, one ? SLOT_COMPLETION : SLOT_CHOSEN, &parts[1]);
	if (rc == 1 && !one)
		rc = read_slot(r, SLOT_REJECTED, &parts[2]);
	if (rc < 1)
		return rc;
	if (!all_answer(r->row)) {
		if (json_kind(r->value[SLOT_PROMPT]) == JSON_STRING)
			rc = find_prompt(r);
		else
			for (int i = 1; rc == 1 && i <= r->row->k; i++) {
				if (common_messages(&parts[0], &parts[i]) < parts[0].n)
					return fault_set(r->fault, FAULT_PROMPT_DIFFERS,
						"'%s' is not how the messages of %s begin", r->key[SLOT_PROMPT],
						layout_part_name(r->row, i).text);
				drop_messages(&parts[i], parts[0].n);
			}
	}
	return rc == 1 ? add_system(r, &parts[0]) : rc;
}

/* One list: the last message is the completion. */
int rows_read_messages(struct layout_reading *r)
{
	struct layout_part *parts;
	int rc = rows_new_parts(r, 1);

	if (rc == 1)
		rc = read_slot(r, SLOT_COMPLETION, &r->row->parts[1]);
	if (rc < 1)
		return rc;
	parts = r->row->parts;
	if (parts[1].n < 2)
		return fault_set(r->fault, FAULT_ROLES, "%zu messages: no question and answer", parts[1].n);
	parts[0] = (struct layout_part){.messages = parts[1].messages, .n = parts[1].n - 1};
	drop_messages(&parts[1], parts[0].n);
	return add_system(r, &parts[0]);
}
