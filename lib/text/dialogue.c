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

static int check_message(
	const struct layout_row *row, int part, size_t i, struct fault *fault)
{
	const struct chat_message *m = &row->parts[part].messages[i];
	struct fault_shown name = layout_part_name(row, part);
	const char *field = chat_field(m), *mark;

	if (!field && !m->content)
		field = "content";

	if (field)
		return fault_set(fault, FAULT_NEEDS_TEMPLATE,
			"%s, message %zu: '%s' needs a chat template", name.text, i + 1, field);
	if (strcmp(m->role, "system") && strcmp(m->role, "user") && strcmp(m->role, "assistant"))
		return fault_set(fault, FAULT_ROLES,
			"%s, message %zu: role %s is none of system, user, assistant", name.text,
			i + 1, fault_show(m->role).text);
	find_mark(m->content, m->len, 0, &mark);
	if (mark)
		return fault_set(fault, FAULT_MARKER,
			"%s, message %zu: the content has a line '%s'", name.text, i + 1, mark + 2);
	return 1;
}

/* Turns alternate from first on, and the last is last's. */
static int check_turns(const struct layout_row *row, int part, const char *first, const char *last,
	struct fault *fault)
{
	const struct chat_message *m = row->parts[part].messages;
	size_t n = row->parts[part].n, i = part == 0 && n && !strcmp(m[0].role, "system");
	struct fault_shown name = layout_part_name(row, part);
	const char *due = first, *role = NULL;

	for (; i < n; i++) {
		role = m[i].role;
		if (strcmp(role, due))
			return fault_set(fault, FAULT_ROLES,
				"%s, message %zu: role %s where '%s' is due", name.text, i + 1,
				fault_show(role).text, due);
		due = strcmp(role, "user") ? "user" : "assistant";
	}
	if (!role || strcmp(role, last))
		return fault_set(fault, FAULT_ROLES,
			"%s does not end with a message of role '%s'", name.text, last);
	return 1;
}

static void put_turn(struct buf *out, const struct chat_message *m)
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

int dialogue_render(const void *context, struct layout_row *row, struct arena *arena,
	struct fault *fault, struct err *err)
{
	struct buf text = BUF_INIT;
	const char *field = chat_row_field(row->source);
	int rc = 1;

	(void)context;
	if (field)
		return fault_set(
			fault, FAULT_NEEDS_TEMPLATE, "'%s' needs a chat template", field);
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

static int add_turn(const char *s, size_t n, const char *mark, struct chat_message *m, struct arena *arena,
	struct err *err)
{
	while (n && layout_is_blank(s, 1)) {
		s++;
		n--;
	}
	while (n && layout_is_blank(s + n - 1, 1))
		n--;
	*m = (struct chat_message){
		.role = mark == human ? "user" : mark == assistant ? "assistant" : "system",
		.content = arena_copy(arena, s, n, err),
		.len = n,
	};
	return m->content ? 0 : -1;
}

int dialogue_parse(const char *s, size_t n, bool answer, struct chat_message **messages, size_t *count,
	struct arena *arena, struct err *err)
{
	const char *who = answer ? assistant : NULL, *mark;
	size_t most = 1, at, end;

	for (at = 0; (at = find_mark(s, n, at, &mark)) < n; at += strlen(mark))
		most++;
	*messages = arena_new(arena, most, sizeof **messages, err);
	*count = 0;
	if (!*messages)
		return -1;
	for (at = 0;; at = end + strlen(mark), who = mark) {
		end = find_mark(s, n, at, &mark);
		if (end > at && (mark || !layout_is_blank(s + at, end - at)) &&
			add_turn(s + at, end - at, who, &(*messages)[(*count)++], arena, err))
			return -1;
		if (!mark)
			return 1;
	}
}

/* What follows the prompt: an answer, or turns that end with one. */
static int check_answer(
	const char *s, size_t n, const char *side, bool *turns, struct fault *fault)
{
	const char *who = assistant, *mark = NULL;
	size_t start = 0, end;

	for (;; start = end + strlen(mark), who = mark, *turns = true) {
		end = find_mark(s, n, start, &mark);
		if (who == assistant && layout_is_blank(s + start, end - start))
			return fault_set(fault, FAULT_EMPTY, "%s has an empty answer", side);
		if (!mark)
			break;
		if (mark == who)
			return fault_set(fault, FAULT_ROLES,
				"%s parts from the other side before its last answer, and there "
				"'%s' follows '%s'",
				side, mark + 2, who + 2);
	}
	if (who == human)
		return fault_set(fault, FAULT_ROLES, "%s does not end with an answer", side);
	return 1;
}

int dialogue_split(const char *a, size_t na, const char *b, size_t nb, size_t *prompt, bool *turns,
	struct fault *fault)
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
		return fault_set(fault, FAULT_NO_PROMPT,
			"chosen and rejected share nothing up to an 'Assistant:'");
	if (!check_answer(a + *prompt, na - *prompt, "chosen", turns, fault) ||
		!check_answer(b + *prompt, nb - *prompt, "rejected", turns, fault))
		return 0;
	if (same == n && *turns)
		return fault_set(fault, FAULT_PREFIX,
			"%s is how %s begins: which answer is meant?",
			na < nb ? "chosen" : "rejected", na < nb ? "rejected" : "chosen");
	return 1;
}
