#include <math.h>
#include <string.h>

#include "text/dialogue.h"
#include "text/rows.h"

/* The question's messages: system, history, prompt with input. */
struct question {
	struct layout_reading *r;
	struct layout_part *part;
};

static int add_message(struct question *q, const char *role, const struct json *text)
{
	struct chat_message *m = &q->part->messages[q->part->n++];

	*m = (struct chat_message){.role = role};
	m->content = json_string(text, &m->len);
	return 1;
}

static int add_history(struct question *q, const struct json *history)
{
	for (const struct json *turn = json_first(history); turn; turn = json_next(turn)) {
		add_message(q, "user", json_first(turn));
		add_message(q, "assistant", json_next(json_first(turn)));
	}
	return 1;
}

/* The prompt, and where there is more of it, that on a line of its own. */
static int add_prompt(struct question *q)
{
	struct layout_reading *r = q->r;
	struct chat_message *m;
	struct buf text = BUF_INIT;
	size_t n, more = 0;
	const char *prompt = json_string(r->value[SLOT_PROMPT], &n);
	const char *input = json_string(r->value[SLOT_INPUT], &more);

	add_message(q, "user", r->value[SLOT_PROMPT]);
	if (!more)
		return 1;
	m = &q->part->messages[q->part->n - 1];
	buf_add(&text, prompt, n);
	buf_add_char(&text, '\n');
	buf_add(&text, input, more);
	m->len = text.len;
	m->content = buf_check(&text, r->err) ? NULL : arena_copy(r->arena, text.data, text.len, r->err);
	buf_release(&text);
	return m->content ? 1 : -1;
}

static int read_question(struct layout_reading *r, struct layout_part *part)
{
	struct question q = {r, part};
	const struct json *prompt = r->value[SLOT_PROMPT];
	size_t n = 0;
	const char *text = json_string(prompt, &n);

	if (!text)
		return chat_read(r->key[SLOT_PROMPT], prompt, &part->messages, &part->n, r->arena, r->fault, r->err);
	if (dialogue_is_transcript(text, n))
		return dialogue_parse(text, n, false, &part->messages, &part->n, r->arena, r->err);
	part->messages =
		arena_new(r->arena, 2 + 2 * json_count(r->value[SLOT_HISTORY]), sizeof *part->messages, r->err);
	if (!part->messages)
		return -1;
	json_string(r->value[SLOT_SYSTEM], &n);
	if (r->value[SLOT_SYSTEM] && n)
		add_message(&q, "system", r->value[SLOT_SYSTEM]);
	add_history(&q, r->value[SLOT_HISTORY]);
	return add_prompt(&q);
}

static int set_answer(struct layout_reading *r, int i, const struct json *text)
{
	struct layout_part *part = &r->row->parts[i];
	struct question q = {r, part};

	part->messages = arena_new(r->arena, 1, sizeof *part->messages, r->err);
	return part->messages ? add_message(&q, "assistant", text) : -1;
}

static int new_labels(struct layout_reading *r, size_t k)
{
	r->row->labels = arena_new(r->arena, k, sizeof *r->row->labels, r->err);
	return r->row->labels ? 1 : -1;
}

int rows_score(struct layout_reading *r)
{
	const struct json *scores = r->value[SLOT_SCORES];
	size_t k = (size_t)r->row->k;
	float *label;
	double x;

	if (!scores)
		return 1;
	if (json_count(scores) != k)
		return fault_set(r->fault, FAULT_WRONG_TYPE, "%zu completions with %zu scores", k, json_count(scores));
	if (new_labels(r, k) < 0)
		return -1;
	label = r->row->labels;
	for (const struct json *v = json_first(scores); v; v = json_next(v)) {
		layout_number(v, &x);
		*label++ = (float)x;
	}
	return 1;
}

static int check_count(struct layout_reading *r, size_t k)
{
	if (k && k <= PREF_MAX_COMPLETIONS)
		return 1;
	return fault_set(r->fault, FAULT_EMPTY, "%zu completions; 1 to %d are possible", k, PREF_MAX_COMPLETIONS);
}

static int read_list(struct layout_reading *r)
{
	const struct json *list = r->value[SLOT_LIST];
	size_t k = json_count(list);
	int rc = check_count(r, k), i = 0;

	if (rc == 1)
		rc = rows_new_parts(r, k);
	for (const struct json *v = json_first(list); rc == 1 && v; v = json_next(v))
		rc = set_answer(r, ++i, v);
	if (rc == 1)
		rc = rows_score(r);
	if (rc == 1)
		rows_sort(r);
	return rc;
}

int rows_read_answers(struct layout_reading *r)
{
	int rc;

	if (r->value[SLOT_LIST]) {
		rc = read_list(r);
	} else if (r->value[SLOT_COMPLETION]) {
		rc = rows_new_parts(r, 1);
		rc = rc == 1 ? set_answer(r, 1, r->value[SLOT_COMPLETION]) : rc;
	} else {
		rc = rows_new_parts(r, 2);
		rc = rc == 1 ? set_answer(r, 1, r->value[SLOT_CHOSEN]) : rc;
		rc = rc == 1 ? set_answer(r, 2, r->value[SLOT_REJECTED]) : rc;
	}
	rc = rc == 1 ? read_question(r, &r->row->parts[0]) : rc;
	return rc == 1 ? rows_judge(r) : rc;
}

int rows_read_items(struct layout_reading *r)
{
	const struct layout *l = r->layout;
	const struct json *list = r->value[SLOT_LIST];
	size_t k = json_count(list);
	int rc = check_count(r, k), i = 0;
	double x;

	if (rc == 1 && (rows_new_parts(r, k) < 0 || new_labels(r, k) < 0))
		return -1;
	for (const struct json *v = json_first(list); rc == 1 && v; v = json_next(v), i++) {
		const struct json *text = json_get(v, l->item_text);

		if (json_kind(text) != JSON_STRING)
			return fault_set(r->fault, FAULT_MISSING_KEY, "item %d of '%s' has no string '%s'", i + 1,
				r->key[SLOT_LIST], l->item_text);
		if (!layout_number(json_get(v, l->item_score), &x))
			return fault_set(r->fault, FAULT_MISSING_KEY, "item %d of '%s' has no number '%s'", i + 1,
				r->key[SLOT_LIST], l->item_score);
		rc = set_answer(r, i + 1, text);
		r->row->labels[i] = (float)(l->ranks ? -x : x);
	}
	if (rc == 1)
		rows_sort(r);
	return rc == 1 ? read_question(r, &r->row->parts[0]) : rc;
}

/* ---- which is better */

/* -1: the first, 1: the second, 0: neither; false where that cannot be told. */
static bool verdict(enum layout_verdict kind, const struct json *v, int *out)
{
	const char *text = json_text(v);
	double x;

	*out = 0;
	if (json_kind(v) == JSON_NULL)
		return true;
	if (kind == VERDICT_WINNER) {
		if (text)
			*out = !strcmp(text, "model_a") ? -1 : !strcmp(text, "model_b");
		return text != NULL;
	}
	if (!layout_number(v, &x))
		return false;
	switch (kind) {
	case VERDICT_ONE:
	case VERDICT_INDEX:
		*out = (x == 1) == (kind == VERDICT_ONE) ? -1 : 1;
		return x == 0 || x == 1;
	case VERDICT_TO_TWO:
		*out = x == 0 || x == 1.5 ? 0 : x < 1.5 ? -1 : 1;
		return x == 0 || (x >= 1 && x <= 2);
	default:
		*out = x < 0 ? -1 : x > 0;
		return true;
	}
}

int rows_judge(struct layout_reading *r)
{
	const struct json *v = r->value[SLOT_VERDICT];
	struct layout_part *parts = r->row->parts, first;
	struct buf shown = BUF_INIT;
	int which = 0;

	if (r->layout->verdict == VERDICT_NONE)
		return 1;
	if (!verdict(r->layout->verdict, v, &which)) {
		json_write(&shown, v);
		buf_add_str(&shown, "");
		fault_set(r->fault, FAULT_WRONG_TYPE, "'%s' is %s, which is no verdict", r->key[SLOT_VERDICT],
			shown.failed ? "something" : fault_show(shown.data).text);
		buf_release(&shown);
		return 0;
	}
	if (!which)
		return fault_set(r->fault, FAULT_NO_PREFERENCE, "'%s' prefers neither", r->key[SLOT_VERDICT]);
	if (which > 0) {
		first = parts[1];
		parts[1] = parts[2];
		parts[2] = first;
	}
	return 1;
}

void rows_sort(struct layout_reading *r)
{
	float *labels = r->row->labels;
	struct layout_part *parts = r->row->parts + 1;

	for (int i = 1; labels && i < r->row->k; i++) {
		struct layout_part part = parts[i];
		float label = labels[i];
		int j = i;

		for (; j > 0 && labels[j - 1] < label; j--) {
			parts[j] = parts[j - 1];
			labels[j] = labels[j - 1];
		}
		parts[j] = part;
		labels[j] = label;
	}
}
