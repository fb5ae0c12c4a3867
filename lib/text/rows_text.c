#include <string.h>

#include "text/dialogue.h"
#include "text/implicit.h"
#include "text/rows.h"

static void set_text(struct layout_part *part, const struct json *string)
{
	part->text = json_string(string, &part->len);
}

int rows_read_texts(struct layout_reading *r)
{
	const struct json *completion = r->value[SLOT_COMPLETION];

	if (rows_new_parts(r, completion ? 1 : 2) < 0)
		return -1;
	set_text(&r->row->parts[0], r->value[SLOT_PROMPT]);
	set_text(&r->row->parts[1], completion ? completion : r->value[SLOT_CHOSEN]);
	if (!completion)
		set_text(&r->row->parts[2], r->value[SLOT_REJECTED]);
	return 1;
}

int rows_read_text(struct layout_reading *r)
{
	if (r->options->chat)
		return fault_set(r->fault, FAULT_NO_PROMPT, "text without a prompt is no conversation");
	if (rows_new_parts(r, 1) < 0)
		return -1;
	set_text(&r->row->parts[1], r->value[SLOT_COMPLETION]);
	return 1;
}

int rows_read_ranking(struct layout_reading *r)
{
	size_t k = json_count(r->value[SLOT_LIST]);
	struct layout_part *part;
	int rc;

	if (k == 0 || k > PREF_MAX_COMPLETIONS)
		return fault_set(r->fault, FAULT_EMPTY, "%zu completions; 1 to %d are possible", k,
			PREF_MAX_COMPLETIONS);
	if (rows_new_parts(r, k) < 0)
		return -1;
	part = r->row->parts;
	set_text(part, r->value[SLOT_PROMPT]);
	for (const struct json *v = json_first(r->value[SLOT_LIST]); v; v = json_next(v))
		set_text(++part, v);
	rc = rows_score(r);
	if (rc == 1)
		rows_sort(r);
	return rc;
}

/* A pair of whole texts, of which the first n bytes are the prompt. */
static int split_pair(struct layout_reading *r, size_t n)
{
	struct layout_part *parts;

	if (rows_new_parts(r, 2) < 0)
		return -1;
	parts = r->row->parts;
	set_text(&parts[1], r->value[SLOT_CHOSEN]);
	set_text(&parts[2], r->value[SLOT_REJECTED]);
	parts[0] = (struct layout_part){.text = parts[1].text, .len = n};
	for (int i = 1; i <= 2; i++) {
		parts[i].text += n;
		parts[i].len -= n;
	}
	return 1;
}

int rows_read_implicit(struct layout_reading *r)
{
	size_t na, nb, n;
	const char *a = json_string(r->value[SLOT_CHOSEN], &na), *b = json_string(r->value[SLOT_REJECTED], &nb);

	if (layout_is_blank(a, na) || layout_is_blank(b, nb))
		return fault_set(r->fault, FAULT_EMPTY, "%s is empty",
			layout_is_blank(a, na) ? "chosen" : "rejected");
	if (na == nb && !memcmp(a, b, na))
		return fault_set(r->fault, FAULT_IDENTICAL, "chosen and rejected are the same");
	if (!memcmp(a, b, na < nb ? na : nb))
		return fault_set(r->fault, FAULT_PREFIX, "%s is how %s begins: where does the prompt end?",
			na < nb ? "chosen" : "rejected", na < nb ? "rejected" : "chosen");
	n = implicit_prompt_end(a, na, b, nb);
	if (layout_is_blank(a, n))
		return fault_set(r->fault, FAULT_NO_PROMPT, "chosen and rejected have no prompt in common");
	return split_pair(r, n);
}

int rows_read_transcripts(struct layout_reading *r)
{
	size_t na, nb, n;
	const char *a = json_string(r->value[SLOT_CHOSEN], &na), *b = json_string(r->value[SLOT_REJECTED], &nb);

	if (!dialogue_split(a, na, b, nb, &n, &r->row->turns, r->fault))
		return 0;
	return split_pair(r, n);
}

/* ---- TL;DR */

/* "SUBREDDIT: r/x\n\nTITLE: ...\n\nPOST: ...\n\nTL;DR:", as Stiennon et al. (arXiv 2009.01325) put it to models. */
int rows_read_tldr(struct layout_reading *r)
{
	static const char *const names[][2] = {
		{"subreddit", "SUBREDDIT: r/"}, {"title", "TITLE: "}, {"post", "POST: "}, {"article", "ARTICLE: "}};
	const struct json *summaries = r->value[SLOT_LIST];
	struct buf prompt = BUF_INIT;
	struct layout_part *parts;
	int rc = rows_new_parts(r, 2);

	if (json_count(summaries) != 2)
		return fault_set(r->fault, FAULT_WRONG_TYPE, "%zu summaries instead of 2", json_count(summaries));
	for (size_t i = 0; rc == 1 && i < sizeof names / sizeof *names; i++) {
		const struct json *v = json_get(r->value[SLOT_PROMPT], names[i][0]);
		size_t n = 0;
		const char *text = json_string(v, &n);

		if (!n)
			continue;
		buf_add_str(&prompt, names[i][1]);
		buf_add(&prompt, text, n);
		buf_add_str(&prompt, "\n\n");
	}
	if (rc == 1 && !prompt.len)
		rc = fault_set(r->fault, FAULT_MISSING_KEY, "'info' has neither post nor article");
	buf_add_str(&prompt, "TL;DR:");
	parts = r->row->parts;
	if (rc == 1) {
		parts[0].len = prompt.len;
		parts[0].text = buf_check(&prompt, r->err) ? NULL
							   : arena_copy(r->arena, prompt.data, prompt.len, r->err);
		rc = parts[0].text ? 1 : -1;
	}
	buf_release(&prompt);
	for (const struct json *v = json_first(summaries); rc == 1 && v; v = json_next(v)) {
		set_text(++parts, json_get(v, r->layout->item_text));
		if (!parts->text)
			return fault_set(r->fault, FAULT_MISSING_KEY, "a summary has no text");
	}
	return rc == 1 ? rows_judge(r) : rc;
}

/* ---- text as messages */

static struct chat_message *one_message(struct layout_reading *r, const char *role, const char *s, size_t n)
{
	struct chat_message *m = arena_new(r->arena, 1, sizeof *m, r->err);

	while (n && layout_is_blank(s, 1)) {
		s++;
		n--;
	}
	while (n && layout_is_blank(s + n - 1, 1))
		n--;
	if (m)
		*m = (struct chat_message){.role = role, .content = arena_copy(r->arena, s, n, r->err), .len = n};
	return m && m->content ? m : NULL;
}

int rows_make_chat(struct layout_reading *r)
{
	bool turns = dialogue_is_transcript(r->row->parts[0].text, r->row->parts[0].len);

	for (int i = 0; i <= r->row->k; i++) {
		struct layout_part *part = &r->row->parts[i];
		int rc = 1;

		if (turns) {
			rc = dialogue_parse(part->text, part->len, i > 0, &part->messages, &part->n, r->arena, r->err);
		} else {
			part->messages = one_message(r, i ? "assistant" : "user", part->text, part->len);
			part->n = part->messages != NULL;
			rc = part->n ? 1 : -1;
		}
		if (rc < 1)
			return rc;
	}
	r->row->turns = false; /* is set anew from the messages */
	return 1;
}
