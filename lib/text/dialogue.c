#include "text/dialogue.h"

#include <string.h>

#include "base/buf.h"

static const char human[] = "\n\nHuman:", assistant[] = "\n\nAssistant:";

/* The first turn's mark at or after from: where it is (n: there is none), and whose. */
static size_t find_mark(const char *s, size_t n, size_t from, const char **mark)
{
	const char *p;

	for (; (p = memmem(s + from, n - from, "\n\n", 2)); from = (size_t)(p - s) + 1)
		for (int i = 0; i < 2; i++) {
			size_t at = (size_t)(p - s);

			*mark = i ? assistant : human;
			if (n - at >= strlen(*mark) && !memcmp(p, *mark, strlen(*mark)))
				return at;
		}
	*mark = NULL;
	return n;
}

/* ---- messages to text */

/* Fields of a message or a row that only a chat template can write. */
static const char *template_field(const struct json *object)
{
	static const char *const fields[] = {"tools", "chat_template_kwargs", "tool_calls",
		"function_call", "reasoning_content", "thinking", NULL};
	const struct json *v;
	size_t n = 1;

	for (const char *const *f = fields; *f; f++, n = 1) {
		v = json_get(object, *f);
		json_string(v, &n);
		if (json_kind(v) == JSON_STRING ? n > 0 : json_first(v) != NULL)
			return *f;
	}
	return NULL;
}

static int check_message(
	const struct layout_row *row, int part, size_t i, struct layout_fault *fault)
{
	const struct layout_message *m = &row->parts[part].messages[i];
	struct layout_shown name = layout_part_name(row, part);
	const char *field = template_field(m->source), *mark;

	if (field)
		return layout_bad(fault, LAYOUT_NEEDS_TEMPLATE,
			"%s, message %zu: '%s' needs a chat template", name.text, i + 1, field);
	if (strcmp(m->role, "system") && strcmp(m->role, "user") && strcmp(m->role, "assistant"))
		return layout_bad(fault, LAYOUT_ROLES,
			"%s, message %zu: role %s is none of system, user, assistant", name.text,
			i + 1, layout_show(m->role).text);
	find_mark(m->content, m->len, 0, &mark);
	if (mark)
		return layout_bad(fault, LAYOUT_MARKER,
			"%s, message %zu: the content has a line '%s'", name.text, i + 1, mark + 2);
	return 1;
}

/* Turns alternate from first on, and the last is last's. */
static int check_turns(const struct layout_row *row, int part, const char *first, const char *last,
	struct layout_fault *fault)
{
	const struct layout_message *m = row->parts[part].messages;
	size_t n = row->parts[part].n, i = part == 0 && n && !strcmp(m[0].role, "system");
	struct layout_shown name = layout_part_name(row, part);
	const char *due = first, *role = NULL;

	for (; i < n; i++) {
		role = m[i].role;
		if (strcmp(role, due))
			return layout_bad(fault, LAYOUT_ROLES,
				"%s, message %zu: role %s where '%s' is due", name.text, i + 1,
				layout_show(role).text, due);
		due = strcmp(role, "user") ? "user" : "assistant";
	}
	if (!role || strcmp(role, last))
		return layout_bad(fault, LAYOUT_ROLES,
			"%s does not end with a message of role '%s'", name.text, last);
	return 1;
}

static void put_turn(struct buf *out, const struct layout_message *m)
{
	if (strcmp(m->role, "system")) {
		buf_add_str(out, strcmp(m->role, "user") ? assistant : human);
		buf_add_char(out, ' ');
	}
	buf_add(out, m->content, m->len);
}

static int render_part(
	struct layout_row *row, int i, struct buf *out, struct arena *arena, struct err *err)
{
	struct layout_part *part = &row->parts[i];

	buf_clear(out);
	for (size_t m = 0; m < part->n; m++)
		put_turn(out, &part->messages[m]);
	if (i == 0)
		buf_add_str(out, assistant);
	if (buf_check(out, err))
		return -1;
	/* The mark of a completion's first turn is the end of the prompt. */
	part->len = out->len - (i ? strlen(assistant) : 0);
	part->text = arena_copy(arena, out->data + out->len - part->len, part->len, err);
	return part->text ? 1 : -1;
}

int dialogue_render(void *context, struct layout_row *row, struct arena *arena,
	struct layout_fault *fault, struct err *err)
{
	struct buf text = BUF_INIT;
	const char *field = template_field(row->source);
	int rc = 1;

	(void)context;
	if (field)
		return layout_bad(
			fault, LAYOUT_NEEDS_TEMPLATE, "'%s' needs a chat template", field);
	for (int i = 0; i <= row->k && rc == 1; i++) {
		for (size_t m = 0; m < row->parts[i].n && rc == 1; m++)
			rc = check_message(row, i, m, fault);
		if (rc == 1)
			rc = check_turns(
				row, i, i ? "assistant" : "user", i ? "assistant" : "user", fault);
	}
	for (int i = 0; i <= row->k && rc == 1; i++)
		rc = render_part(row, i, &text, arena, err);
	buf_release(&text);
	return rc;
}

/* ---- transcripts */

bool dialogue_is_transcript(const char *s, size_t n)
{
	return n >= strlen(human) && !memcmp(s, human, strlen(human)) &&
	       memmem(s, n, assistant, strlen(assistant));
}

/* What follows the prompt: an answer, or turns that end with one. */
static int check_answer(
	const char *s, size_t n, const char *side, bool *turns, struct layout_fault *fault)
{
	const char *who = assistant, *mark = NULL;
	size_t start = 0, end;

	for (;; start = end + strlen(mark), who = mark, *turns = true) {
		end = find_mark(s, n, start, &mark);
		if (who == assistant && layout_is_blank(s + start, end - start))
			return layout_bad(fault, LAYOUT_EMPTY, "%s has an empty answer", side);
		if (!mark)
			break;
		if (mark == who)
			return layout_bad(fault, LAYOUT_ROLES,
				"%s parts from the other side before its last answer, and there "
				"'%s' follows '%s'",
				side, mark + 2, who + 2);
	}
	if (who == human)
		return layout_bad(fault, LAYOUT_ROLES, "%s does not end with an answer", side);
	return 1;
}

int dialogue_split(const char *a, size_t na, const char *b, size_t nb, size_t *prompt, bool *turns,
	struct layout_fault *fault)
{
	size_t n = na < nb ? na : nb, same = 0, at = 0;
	const char *mark = NULL;

	*prompt = 0;
	*turns = false;
	while (same < n && a[same] == b[same])
		same++;
	for (; (at = find_mark(a, same, at, &mark)) < same; at += strlen(mark))
		if (mark == assistant)
			*prompt = at + strlen(mark);
	if (!*prompt)
		return layout_bad(fault, LAYOUT_NO_PROMPT,
			"chosen and rejected share nothing up to an 'Assistant:'");
	if (!check_answer(a + *prompt, na - *prompt, "chosen", turns, fault) ||
		!check_answer(b + *prompt, nb - *prompt, "rejected", turns, fault))
		return 0;
	if (same == n && *turns)
		return layout_bad(fault, LAYOUT_PREFIX,
			"%s is how %s begins: which answer is meant?",
			na < nb ? "chosen" : "rejected", na < nb ? "rejected" : "chosen");
	return 1;
}
