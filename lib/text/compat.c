#include "text/compat.h"

#include <string.h>

static size_t limit(int64_t n)
{
	return n ? (size_t)n : SIZE_MAX;
}

/* ---- what several rules do */

static bool plain_or_always(const struct prefencode_rules *rules)
{
	return rules->eos == PREFENCODE_ALWAYS ||
	       (rules->eos == PREFENCODE_AUTO && !rules->rendered);
}

static bool always(const struct prefencode_rules *rules)
{
	(void)rules;
	return true;
}

static int encode(struct sequences *s, unsigned flags, int segment, struct err *err)
{
	if (sequences_encode(s, 0, flags, err) == 0)
		return 0;
	return segment ? err_at(err, "completion %d", segment) : err_at(err, "prompt");
}

/* Piece i is segment i alone, without special tokens; EOS is appended to completions, if asked for. */
static int encode_alone(struct sequences *s, const struct pref_rec *in, bool eos, struct err *err)
{
	for (int i = 0; i <= in->k; i++) {
		sequences_text(s, in, i, i);
		if (encode(s, 0, i, err) ||
			(eos && i && sequences_encode_id(s, tokenizer_eos(s->t), err)))
			return -1;
	}
	return 0;
}

/* Piece 0 is the prompt, piece i the text of prompt and completion i with an EOS behind `space`. */
static int encode_whole(struct sequences *s, const struct pref_rec *in, unsigned flags, bool eos,
	const char *strip, const char *space, struct err *err)
{
	sequences_text(s, in, 0, 0);
	if (encode(s, flags, 0, err))
		return -1;
	for (int i = 1; i <= in->k; i++) {
		sequences_text(s, in, 0, i);
		while (s->text.len && *strip && s->text.data[s->text.len - 1] == *strip)
			s->text.len--;
		s->plain.len = s->text.len;
		if (eos)
			sequences_text_eos(s, space);
		if (encode(s, flags, i, err))
			return -1;
	}
	return 0;
}

/* Notes whether the prompt's tokens are not what the whole begins with. */
static void compare(struct sequences *s, struct piece prompt, struct piece whole)
{
	if (whole.n < prompt.n ||
		(prompt.n && memcmp(whole.v, prompt.v, prompt.n * sizeof *prompt.v)))
		s->merged = true;
}

/* The longest completion, in tokens, where piece i is completion i. */
static size_t longest(const struct sequences *s, int k)
{
	size_t n = 0;

	for (int i = 1; i <= k; i++)
		if (sequences_piece(s, (size_t)i).n > n)
			n = sequences_piece(s, (size_t)i).n;
	return n;
}

/* Adds prompt and completion, of which these parts are left of what there was. */
static enum sequences_fate add(struct sequences *s, struct piece prompt, size_t whole_prompt,
	struct piece completion, struct piece whole, struct err *err)
{
	struct sequence q = {.prompt = {prompt},
		.completion = completion,
		.cut_prompt = whole_prompt - prompt.n,
		.cut_completion = whole.n - completion.n};

	if (whole.n && whole.v[whole.n - 1] == tokenizer_eos(s->t) &&
		completion.v + completion.n != whole.v + whole.n)
		s->eos_lost++;
	return sequences_add(s, &q, err) ? SEQUENCES_FAILED : SEQUENCES_MADE;
}

/* TRL cuts each sequence by itself, at either end. */
static enum sequences_fate add_cut(const struct prefencode_rules *rules, struct sequences *s,
	struct piece prompt, size_t whole_prompt, struct piece whole, struct err *err)
{
	size_t max = limit(rules->max_length), n = prompt.n + whole.n, cut = n > max ? n - max : 0;
	struct piece completion = whole;

	if (rules->truncate == PREFENCODE_KEEP_START) {
		size_t room = max > prompt.n ? max - prompt.n : 0;

		completion = piece_part(whole, 0, room);
		prompt = piece_part(prompt, 0, max);
	} else if (cut) {
		size_t head = cut < prompt.n ? cut : prompt.n;

		prompt = piece_part(prompt, head, SIZE_MAX);
		completion = piece_part(whole, cut - head, SIZE_MAX);
	}
	return add(s, prompt, whole_prompt, completion, whole, err);
}

/* ---- TRL since 0.29 */

static bool trl_needs_eos(const struct prefencode_rules *rules)
{
	return !rules->rendered;
}

static enum sequences_fate trl(const struct prefencode_rules *rules, struct sequences *s,
	const struct pref_rec *in, struct err *err)
{
	enum sequences_fate fate = SEQUENCES_MADE;
	struct piece prompt, whole;

	if (encode_whole(
		    s, in, rules->rendered ? 0 : ENCODE_SPECIAL, !rules->rendered, "", "", err))
		return SEQUENCES_FAILED;
	prompt = sequences_piece(s, 0);
	if (rules->truncate == PREFENCODE_KEEP_START && prompt.n >= limit(rules->max_length))
		return SEQUENCES_TOO_LONG;
	for (int i = 1; i <= in->k && fate == SEQUENCES_MADE; i++) {
		whole = sequences_piece(s, (size_t)i);
		compare(s, prompt, whole);
		fate = add_cut(
			rules, s, prompt, prompt.n, piece_part(whole, prompt.n, SIZE_MAX), err);
	}
	return fate;
}

/* ---- TRL up to 0.28 */

static enum sequences_fate trl_028(const struct prefencode_rules *rules, struct sequences *s,
	const struct pref_rec *in, struct err *err)
{
	size_t max = limit(rules->max_prompt);
	enum sequences_fate fate = SEQUENCES_MADE;
	struct piece prompt, end;

	if (encode_alone(s, in, plain_or_always(rules), err))
		return SEQUENCES_FAILED;
	prompt = sequences_piece(s, 0);
	end = piece_part(prompt, prompt.n > max ? prompt.n - max : 0, SIZE_MAX);
	for (int i = 1; i <= in->k && fate == SEQUENCES_MADE; i++)
		fate = add_cut(rules, s, end, prompt.n, sequences_piece(s, (size_t)i), err);
	return fate;
}

/* ---- the paper's code */

static bool holds(struct piece p, int32_t id)
{
	for (size_t i = 0; i < p.n; i++)
		if (p.v[i] == id)
			return true;
	return false;
}

static enum sequences_fate dpo_paper(const struct prefencode_rules *rules, struct sequences *s,
	const struct pref_rec *in, struct err *err)
{
	size_t max = limit(rules->max_length), max_prompt = limit(rules->max_prompt), n,
	       most = SIZE_MAX;
	bool keep_end = rules->truncate == PREFENCODE_KEEP_END;
	enum sequences_fate fate = SEQUENCES_MADE;
	int32_t eos = tokenizer_eos(s->t);
	struct piece prompt, left, whole;

	if (encode_alone(s, in, true, err))
		return SEQUENCES_FAILED;
	left = prompt = sequences_piece(s, 0);
	if (holds(prompt, eos))
		return err_set(err, ERR_FAILED, "the prompt holds EOS, which dpo-paper refuses");
	for (int i = 1; i <= in->k; i++) {
		whole = sequences_piece(s, (size_t)i);
		if (holds(piece_part(whole, 0, whole.n - 1), eos))
			return err_set(err, ERR_FAILED,
				"completion %d holds EOS, which dpo-paper refuses", i);
	}
	n = longest(s, in->k);
	if (prompt.n + n > max && prompt.n > max_prompt)
		left = piece_part(prompt, keep_end ? prompt.n - max_prompt : 0, max_prompt);
	if (left.n + n > max)
		most = max > max_prompt ? max - max_prompt : 0;
	for (int i = 1; i <= in->k && fate == SEQUENCES_MADE; i++) {
		whole = sequences_piece(s, (size_t)i);
		fate = add(s, left, prompt.n, piece_part(whole, 0, most), whole, err);
	}
	return fate;
}

/* ---- LLaMA-Factory */

/* How many tokens remain of a prompt of `source` and completions of at most `target`. */
static void share(size_t *source, size_t *target, size_t max)
{
	size_t most;

	if (*target * 2 < max)
		most = max;
	else if (*source * 2 < max)
		most = max - *source;
	else
		most = (size_t)((double)max * ((double)*target / (double)(*source + *target)));
	if (*target > most)
		*target = most;
	if (*source > max - *target)
		*source = max - *target;
}

static enum sequences_fate llama_factory(const struct prefencode_rules *rules, struct sequences *s,
	const struct pref_rec *in, struct err *err)
{
	enum sequences_fate fate = SEQUENCES_MADE;
	struct piece prompt, whole;
	size_t source, target;

	if (encode_alone(s, in, plain_or_always(rules), err))
		return SEQUENCES_FAILED;
	prompt = sequences_piece(s, 0);
	source = prompt.n;
	target = longest(s, in->k);
	if (rules->max_length)
		share(&source, &target, (size_t)rules->max_length);
	for (int i = 1; i <= in->k && fate == SEQUENCES_MADE; i++) {
		whole = sequences_piece(s, (size_t)i);
		fate = add(s, piece_part(prompt, 0, source), prompt.n, piece_part(whole, 0, target),
			whole, err);
	}
	return fate;
}

/* ---- OpenRLHF */

static enum sequences_fate openrlhf(const struct prefencode_rules *rules, struct sequences *s,
	const struct pref_rec *in, struct err *err)
{
	size_t max = limit(rules->max_length);
	int32_t eos = tokenizer_eos(s->t);
	struct piece prompt, whole;

	if (encode_whole(s, in, 0, true, "\n", " ", err))
		return SEQUENCES_FAILED;
	prompt = sequences_piece(s, 0);
	if (prompt.n + 2 >= max)
		return SEQUENCES_TOO_LONG;
	for (int i = 1; i <= in->k; i++) {
		struct sequence q = {.completion = {.n = 0}};
		struct piece left;

		whole = sequences_piece(s, (size_t)i);
		compare(s, prompt, whole);
		left = piece_part(whole, 0, max);
		q.prompt[0] = piece_part(left, 0, prompt.n);
		q.completion = piece_part(left, prompt.n, SIZE_MAX);
		q.cut_completion = whole.n - left.n;
		if (sequences_add(s, &q, err))
			return SEQUENCES_FAILED;
		sequences_end_with(s, eos);
	}
	return SEQUENCES_MADE;
}

/* ---- all of them */

static const struct compat rules[] = {
	{.name = "trl",
		.boundary = "prompt-length",
		.eos = "text",
		.special = true,
		.max_length = 1024,
		.truncate = PREFENCODE_KEEP_START,
		.truncates = true,
		.needs_eos = trl_needs_eos,
		.encode = trl},
	{.name = "trl-0.28",
		.boundary = "separate",
		.max_length = 1024,
		.max_prompt = 512,
		.truncates = true,
		.always = true,
		.needs_eos = plain_or_always,
		.encode = trl_028},
	{.name = "dpo-paper",
		.boundary = "separate",
		.eos = "always",
		.max_length = 512,
		.max_prompt = 256,
		.within = true,
		.truncates = true,
		.needs_eos = always,
		.encode = dpo_paper},
	{.name = "llama-factory",
		.boundary = "separate",
		.max_length = 2048,
		.always = true,
		.never = true,
		.needs_eos = plain_or_always,
		.encode = llama_factory},
	{.name = "openrlhf",
		.boundary = "prompt-length",
		.eos = "last",
		.max_length = 512,
		.needs_eos = always,
		.encode = openrlhf},
};

const char *const compat_names[] = {
	"trl", "trl-0.28", "dpo-paper", "llama-factory", "openrlhf", NULL};

const struct compat *compat_at(int i)
{
	return &rules[i];
}
