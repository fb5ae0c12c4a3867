#include "text/rows.h"

#include <string.h>

#include "text/dialogue.h"
#include "text/implicit.h"

static int new_parts(struct layout_reading *r, size_t k)
{
	r->row->k = (int)k;
	r->row->parts = arena_new(r->arena, k + 1, sizeof *r->row->parts, r->err);
	if (!r->row->parts)
		return -1;
	for (size_t i = 0; i <= k; i++)
		r->row->parts[i] = (struct layout_part){.text = ""};
	return 1;
}

static void set_text(struct layout_part *part, const struct json *string)
{
	part->text = json_string(string, &part->len);
}

/* Strings: the prompt, then the completions. */
int rows_read_texts(struct layout_reading *r)
{
	size_t n = 0;

	while (n < LAYOUT_MAX_KEYS && r->layout->keys[n].kind == LAYOUT_TEXT)
		n++;
	if (new_parts(r, n - 1) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		set_text(&r->row->parts[i], r->value[i]);
	return 1;
}

int rows_read_text(struct layout_reading *r)
{
	if (new_parts(r, 1) < 0)
		return -1;
	set_text(&r->row->parts[1], r->value[0]);
	return 1;
}

int rows_read_ranking(struct layout_reading *r)
{
	size_t k = json_count(r->value[1]);
	struct layout_part *part;

	if (k == 0 || k > PREF_MAX_COMPLETIONS)
		return layout_bad(r->fault, LAYOUT_EMPTY, "%zu completions; 1 to %d are possible",
			k, PREF_MAX_COMPLETIONS);
	if (new_parts(r, k) < 0)
		return -1;
	part = r->row->parts;
	set_text(part, r->value[0]);
	for (const struct json *v = json_first(r->value[1]); v; v = json_next(v))
		set_text(++part, v);
	return 1;
}

/* A pair of whole texts, of which the first n bytes are the prompt. */
static int split_pair(struct layout_reading *r, size_t n)
{
	struct layout_part *parts;

	if (new_parts(r, 2) < 0)
		return -1;
	parts = r->row->parts;
	for (int i = 0; i < 2; i++) {
		set_text(&parts[i + 1], r->value[i]);
		parts[0] = (struct layout_part){.text = parts[i + 1].text, .len = n};
		parts[i + 1].text += n;
		parts[i + 1].len -= n;
	}
	return 1;
}

int rows_read_implicit(struct layout_reading *r)
{
	size_t na, nb, n;
	const char *a = json_string(r->value[0], &na), *b = json_string(r->value[1], &nb);

	if (layout_is_blank(a, na) || layout_is_blank(b, nb))
		return layout_bad(r->fault, LAYOUT_EMPTY, "%s is empty",
			layout_is_blank(a, na) ? "chosen" : "rejected");
	if (na == nb && !memcmp(a, b, na))
		return layout_bad(r->fault, LAYOUT_IDENTICAL, "chosen and rejected are the same");
	if (!memcmp(a, b, na < nb ? na : nb))
		return layout_bad(r->fault, LAYOUT_PREFIX,
			"%s is how %s begins: where does the prompt end?",
			na < nb ? "chosen" : "rejected", na < nb ? "rejected" : "chosen");
	n = implicit_prompt_end(a, na, b, nb);
	if (layout_is_blank(a, n))
		return layout_bad(
			r->fault, LAYOUT_NO_PROMPT, "chosen and rejected have no prompt in common");
	return split_pair(r, n);
}

int rows_read_transcripts(struct layout_reading *r)
{
	size_t na, nb, n;
	const char *a = json_string(r->value[0], &na), *b = json_string(r->value[1], &nb);

	if (!dialogue_split(a, na, b, nb, &n, &r->row->turns, r->fault))
		return 0;
	return split_pair(r, n);
}

/* ---- rows of messages */

static int read_message(struct layout_reading *r, const char *key, size_t i, const struct json *v,
	struct layout_message *m)
{
	const struct json *content = json_get(v, "content");

	if (json_kind(v) != JSON_OBJECT)
		return layout_bad(r->fault, LAYOUT_WRONG_TYPE,
			"message %zu of '%s' is %s, not an object", i, key, layout_kind_name(v));
	*m = (struct layout_message){.role = json_text(json_get(v, "role")), .source = v};
	if (!json_get(v, "role") || !content)
		return layout_bad(r->fault, LAYOUT_MISSING_KEY, "message %zu of '%s' has no '%s'",
			i, key, content ? "role" : "content");
	if (!m->role)
		return layout_bad(r->fault, LAYOUT_WRONG_TYPE,
			"the role of message %zu of '%s' is %s, not a string", i, key,
			layout_kind_name(json_get(v, "role")));
	m->content = json_string(content, &m->len);
	if (!m->content)
		return layout_bad(r->fault, LAYOUT_WRONG_TYPE,
			"the content of message %zu of '%s' is %s, not a string", i, key,
			layout_kind_name(content));
	return 1;
}

static int read_list(struct layout_reading *r, const char *key, const struct json *list,
	struct layout_part *part)
{
	struct layout_message *messages;
	size_t n = 0;
	int rc = 1;

	messages = arena_new(r->arena, json_count(list), sizeof *messages, r->err);
	if (!messages)
		return -1;
	for (const struct json *v = json_first(list); v && rc == 1; v = json_next(v), n++)
		rc = read_message(r, key, n + 1, v, &messages[n]);
	*part = (struct layout_part){.messages = messages, .n = n};
	return rc;
}

/* The list under the i-th key, or a string there as one message of the user. */
static int read_messages_at(struct layout_reading *r, int i, struct layout_part *part)
{
	struct layout_message *m;

	if (json_kind(r->value[i]) != JSON_STRING)
		return read_list(r, r->layout->keys[i].name, r->value[i], part);
	m = arena_new(r->arena, 1, sizeof *m, r->err);
	if (!m)
		return -1;
	*m = (struct layout_message){.role = "user"};
	m->content = json_string(r->value[i], &m->len);
	*part = (struct layout_part){.messages = m, .n = 1};
	return 1;
}

static bool same_message(const struct layout_message *a, const struct layout_message *b)
{
	return !strcmp(a->role, b->role) && a->len == b->len &&
	       !memcmp(a->content, b->content, a->len);
}

static size_t common_messages(const struct layout_part *a, const struct layout_part *b)
{
	size_t n = 0;

	while (n < a->n && n < b->n && same_message(&a->messages[n], &b->messages[n]))
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
		return layout_bad(r->fault, LAYOUT_IDENTICAL, "chosen and rejected are the same");
	if (n == parts[1].n || n == parts[2].n)
		return layout_bad(r->fault, LAYOUT_PREFIX,
			"%s is how %s begins: where does the prompt end?",
			n == parts[1].n ? "chosen" : "rejected",
			n == parts[1].n ? "rejected" : "chosen");
	if (n == 0)
		return layout_bad(r->fault, LAYOUT_NO_PROMPT,
			"chosen and rejected have no message in common");
	parts[0] = (struct layout_part){.messages = parts[1].messages, .n = n};
	drop_messages(&parts[1], n);
	drop_messages(&parts[2], n);
	return 1;
}

int rows_read_implicit_chat(struct layout_reading *r)
{
	int rc = new_parts(r, 2);

	for (int i = 0; i < 2 && rc == 1; i++)
		rc = read_messages_at(r, i, &r->row->parts[i + 1]);
	return rc == 1 ? split_lists(r) : rc;
}

static bool starts_with_answer(const struct layout_part *part)
{
	return part->n > 0 && !strcmp(part->messages[0].role, "assistant");
}

/* The prompt, and lists that are completions, or that hold the prompt too. */
int rows_read_explicit_chat(struct layout_reading *r)
{
	struct layout_part *parts, prompt;
	int rc = new_parts(r, 2);

	for (int i = 0; i < 3 && rc == 1; i++)
		rc = read_messages_at(r, i, &r->row->parts[i]);
	if (rc < 1)
		return rc;
	parts = r->row->parts;
	if (starts_with_answer(&parts[1]) && starts_with_answer(&parts[2]))
		return 1;
	prompt = parts[0];
	if (json_kind(r->value[0]) == JSON_STRING) {
		rc = split_lists(r);
		for (size_t i = 0; rc == 1 && i < parts[0].n; i++)
			if (same_message(&parts[0].messages[i], &prompt.messages[0]))
				return 1;
		return rc < 1 ? rc
			      : layout_bad(r->fault, LAYOUT_PROMPT_DIFFERS,
					"'prompt' is no message of the user that chosen and "
					"rejected share");
	}
	for (int i = 1; i <= 2; i++) {
		if (common_messages(&prompt, &parts[i]) < prompt.n)
			return layout_bad(r->fault, LAYOUT_PROMPT_DIFFERS,
				"'prompt' is not how the messages of %s begin",
				i == 1 ? "chosen" : "rejected");
		drop_messages(&parts[i], prompt.n);
	}
	return 1;
}

int rows_read_chat(struct layout_reading *r)
{
	int rc = new_parts(r, 1);

	for (int i = 0; i < 2 && rc == 1; i++)
		rc = read_messages_at(r, i, &r->row->parts[i]);
	return rc;
}

/* One list: the last message is the completion. */
int rows_read_messages(struct layout_reading *r)
{
	struct layout_part *parts;
	int rc = new_parts(r, 1);

	if (rc == 1)
		rc = read_messages_at(r, 0, &r->row->parts[1]);
	if (rc < 1)
		return rc;
	parts = r->row->parts;
	if (parts[1].n < 2)
		return layout_bad(
			r->fault, LAYOUT_ROLES, "%zu messages: no question and answer", parts[1].n);
	parts[0] = (struct layout_part){.messages = parts[1].messages, .n = parts[1].n - 1};
	drop_messages(&parts[1], parts[0].n);
	return 1;
}
