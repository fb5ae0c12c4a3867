#include "text/lint.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What the widespread templates put between turns. */
static const char *const leftovers[] = {"<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|start_header_id|>",
	"<|end_header_id|>", "<|endoftext|>", "<|end_of_text|>", "<|begin_of_text|>", "<start_of_turn>", "<end_of_turn>",
	"<|user|>", "<|assistant|>", "<|system|>", "<|end|>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "</s>",
	"### Instruction:", "### Response:", "### Human:", "### Assistant:", "\n\nHuman:", "\n\nAssistant:", "\nUSER:",
	"\nASSISTANT:"};

/* Which of them the text has: a bit each. */
static uint32_t find_leftovers(const struct layout_part *part)
{
	static const bool first[256] = {['<'] = true, ['['] = true, ['#'] = true, ['\n'] = true};
	uint32_t found = 0;

	for (size_t at = 0; at < part->len; at++) {
		if (!first[(unsigned char)part->text[at]])
			continue;
		for (size_t i = 0; i < sizeof leftovers / sizeof *leftovers; i++) {
			size_t n = strlen(leftovers[i]);

			if (n <= part->len - at && !memcmp(leftovers[i], part->text + at, n))
				found |= (uint32_t)1 << i;
		}
	}
	return found;
}

void lint_add(struct lint *l, const struct fault *note)
{
	if (l->n < LINT_NOTES)
		l->note[l->n++] = *note;
}

__attribute__((format(printf, 3, 4))) static void add(
	struct lint *l, enum fault_code code, const char *fmt, ...)
{
	struct fault note = {.code = code};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(note.text, sizeof note.text, fmt, ap);
	va_end(ap);
	lint_add(l, &note);
}

static void check_pair(struct lint *l, const struct layout_row *row)
{
	const struct layout_part *a = &row->parts[1], *b = &row->parts[2];
	size_t n = a->len < b->len ? a->len : b->len;
	uint32_t chosen, differ;

	if (a->len != b->len && n && !memcmp(a->text, b->text, n))
		add(l, FAULT_EXTENDS, "%s begins with all of %s", a->len < b->len ? "rejected" : "chosen",
			a->len < b->len ? "chosen" : "rejected");
	if (row->labels && row->labels[0] == row->labels[1])
		add(l, FAULT_TIE, "chosen and rejected have the same score, %g", (double)row->labels[0]);
	if (row->turns)
		return;
	chosen = find_leftovers(a);
	differ = chosen ^ find_leftovers(b);
	if (differ) {
		int i = __builtin_ctz(differ);
		bool first = chosen >> i & 1;

		add(l, FAULT_LEFTOVER, "%s has %s, %s has not", first ? "chosen" : "rejected",
			fault_show(leftovers[i]).text, first ? "rejected" : "chosen");
	}
}

/* Special tokens in what somebody wrote: in messages where there are some, otherwise in the texts. */
static void check_specials(struct lint *l, const struct layout_row *row, const struct specials *s)
{
	struct fault_shown token;
	size_t len, at;

	for (int i = 0; i <= row->k; i++) {
		const struct layout_part *part = &row->parts[i];

		for (size_t m = 0; m < (row->chat ? part->n : 1); m++) {
			const char *text = row->chat ? part->messages[m].content : part->text;
			size_t n = row->chat ? part->messages[m].len : part->len;

			at = text ? specials_find(s, text, n, &len) : n;
			if (at == n)
				continue;
			token = fault_show(s->token[0]);
			for (size_t t = 0; t < s->n; t++)
				if (s->len[t] == len && !memcmp(s->token[t], text + at, len))
					token = fault_show(s->token[t]);
			add(l, FAULT_SPECIAL, "%s holds %s as text", layout_part_name(row, i).text, token.text);
			return;
		}
	}
}

/* The whole text of a system's message must be in the prompt, but for white space around it. */
static void check_system(struct lint *l, const struct layout_row *row)
{
	const struct layout_part *prompt = &row->parts[0];

	for (size_t m = 0; m < prompt->n; m++) {
		const char *s = prompt->messages[m].content;
		size_t n = prompt->messages[m].len;

		if (strcmp(prompt->messages[m].role, "system") || !s)
			continue;
		for (; n && layout_is_blank(s, 1); n--)
			s++;
		while (n && layout_is_blank(s + n - 1, 1))
			n--;
		if (n && !memmem(prompt->text, prompt->len, s, n)) {
			add(l, FAULT_SYSTEM_LOST, "the system's text, %zu bytes, is not in the prompt", n);
			return;
		}
	}
}

void lint_row(struct lint *l, const struct layout_row *row, const struct specials *specials)
{
	l->n = 0;
	if (row->note.text[0])
		lint_add(l, &row->note);
	if (row->k == 2)
		check_pair(l, row);
	check_specials(l, row, specials);
	if (row->chat)
		check_system(l, row);
}
