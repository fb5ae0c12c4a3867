#include "text/prefencode.h"

#include <string.h>

#include "base/buf.h"

/* A completion's sequence within `all`. */
struct sequence {
	size_t at, n;  /* prompt, completion and EOS */
	size_t inside; /* tokens that end within the prompt's text */
	size_t length; /* of the completion, as it is stored */
};

struct prefencode {
	const struct tokenizer *t;
	const struct prefencode_rules *rules;
	struct encoder *encoder;
	struct buf text;
	struct ids prompt, all, tokens;
	struct sequence *sequences;
	int64_t *seg;
	int32_t *skip, *cut;
	size_t sequences_cap, seg_cap, skip_cap, cut_cap;
};

struct prefencode *prefencode_new(
	const struct tokenizer *t, const struct prefencode_rules *rules, struct err *err)
{
	bool eos = rules->eos == PREFENCODE_ALWAYS ||
		   (rules->eos == PREFENCODE_AUTO && !rules->rendered);
	struct prefencode *p;

	if (eos && tokenizer_eos(t) < 0) {
		err_set(err, ERR_FAILED,
			"tokenizer_config.json names no EOS token that the tokenizer has; the rule "
			"'never' does without");
		return NULL;
	}
	p = mem_new(1, sizeof *p, err);
	if (!p)
		return NULL;
	p->t = t;
	p->rules = rules;
	p->encoder = encoder_new(t, err);
	if (!p->encoder) {
		prefencode_free(p);
		return NULL;
	}
	return p;
}

void prefencode_free(struct prefencode *p)
{
	if (!p)
		return;
	encoder_free(p->encoder);
	buf_release(&p->text);
	ids_release(&p->prompt);
	ids_release(&p->all);
	ids_release(&p->tokens);
	free(p->sequences);
	free(p->seg);
	free(p->skip);
	free(p->cut);
	free(p);
}

void prefencode_add(struct prefencode_ledger *to, const struct prefencode_ledger *from)
{
	to->kept += from->kept;
	to->too_long += from->too_long;
	to->empty += from->empty;
	to->truncated += from->truncated;
	to->cut_prompt += from->cut_prompt;
	to->cut_completion += from->cut_completion;
	to->eos_lost += from->eos_lost;
	to->merged += from->merged;
	to->identical += from->identical;
	to->bos_twice += from->bos_twice;
}

/* ---- encoding */

static int encode(struct prefencode *p, const struct pref_rec *in, struct err *err)
{
	unsigned flags = p->rules->rendered ? 0 : ENCODE_SPECIAL;
	size_t prompt = (size_t)pref_len(in, 0), n;
	int32_t eos = tokenizer_eos(p->t);
	bool ends = p->rules->eos == PREFENCODE_ALWAYS ||
		    (p->rules->eos == PREFENCODE_AUTO && !p->rules->rendered);

	p->all.n = 0;
	buf_clear(&p->text);
	buf_add(&p->text, in->text + in->seg[0], prompt);
	for (int i = 0; i < in->k; i++) {
		struct sequence *s = &p->sequences[i];

		n = (size_t)pref_len(in, i + 1);
		buf_add(&p->text, in->text + in->seg[i + 1], n);
		s->at = p->all.n;
		if (buf_check(&p->text, err) ||
			encoder_encode_at(p->encoder, p->text.data, NULL, p->text.len, prompt, flags,
				&p->all, &s->inside, err))
			return err_at(err, "completion %d", i + 1);
		if (ends && (p->all.n == s->at || p->all.v[p->all.n - 1] != eos) &&
			ids_add(&p->all, eos, err))
			return -1;
		s->n = p->all.n - s->at;
		p->text.len = prompt;
	}
	return 0;
}

/* How many tokens the sequences begin with alike that come from the prompt. */
static size_t common_prompt(const struct prefencode *p, int k)
{
	const int32_t *first = p->all.v + p->sequences[0].at, *other;
	size_t n = p->sequences[0].inside, same;

	for (int i = 1; i < k; i++) {
		const struct sequence *s = &p->sequences[i];

		other = p->all.v + s->at;
		if (s->inside < n)
			n = s->inside;
		for (same = 0; same < n && first[same] == other[same]; same++)
			;
		n = same;
	}
	return n;
}

/* 1 where the prompt by itself is not what some sequence begins with. */
static int is_merged(struct prefencode *p, const struct pref_rec *in, struct err *err)
{
	unsigned flags = p->rules->rendered ? 0 : ENCODE_SPECIAL;
	size_t n = (size_t)pref_len(in, 0), inside;

	p->prompt.n = 0;
	if (encoder_encode_at(
		    p->encoder, in->text + in->seg[0], NULL, n, n, flags, &p->prompt, &inside, err))
		return err_at(err, "prompt");
	for (int i = 0; i < in->k; i++) {
		const struct sequence *s = &p->sequences[i];

		if (s->n < inside || (inside && memcmp(p->all.v + s->at, p->prompt.v,
							inside * sizeof *p->prompt.v)))
			return 1;
	}
	return 0;
}

/* ---- limits */

/* What is stored of a record's tokens. */
struct plan {
	size_t prompt; /* all of the prompt's */
	size_t head;   /* of these, stored from its start; then `tail` from its end */
	size_t tail;
	size_t completion; /* the most of a completion */
};

/* Tokens that stay in front of a prompt whose head is cut off. */
static size_t leading(const struct prefencode *p, size_t prompt)
{
	const int32_t *first = p->all.v + p->sequences[0].at;
	size_t n = p->rules->rendered ? prompt && first[0] == tokenizer_bos(p->t)
				      : tokenizer_leading(p->t);

	return n < prompt ? n : prompt;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* 1, 0 to drop the record, or -1. */
static int make_plan(const struct prefencode *p, size_t prompt, size_t longest, struct plan *plan,
	struct err *err)
{
	const struct prefencode_rules *rules = p->rules;
	size_t max = rules->max_length ? (size_t)rules->max_length : SIZE_MAX;
	size_t max_prompt = rules->max_prompt ? (size_t)rules->max_prompt : SIZE_MAX;
	size_t keep = leading(p, prompt), stored = least(prompt, max_prompt);

	*plan = (struct plan){prompt, prompt, 0, longest};
	if (prompt <= max_prompt && longest <= max && prompt <= max - longest)
		return 1;
	if (rules->truncate == PREFENCODE_DROP)
		return 0;
	if (rules->truncate == PREFENCODE_ERROR && prompt > max_prompt)
		return err_set(err, ERR_LIMIT, "the prompt has %zu tokens, the most is %zu", prompt,
			max_prompt);
	if (rules->truncate == PREFENCODE_ERROR)
		return err_set(err, ERR_LIMIT,
			"prompt and completion have %zu tokens, the most is %zu", prompt + longest,
			max);
	if (rules->truncate == PREFENCODE_KEEP_END) {
		size_t room = longest < max ? max - longest : 0;

		if (stored > room)
			stored = room > keep + 1 ? room : least(stored, keep + 1);
		plan->head = least(keep, stored);
		plan->tail = stored - plan->head;
	} else {
		plan->head = stored;
	}
	plan->completion = stored < max ? least(longest, max - stored) : 0;
	return plan->completion > 0;
}

/* Cuts completions to plan->completion; false where one has no counted token left. */
static bool cut_completions(
	struct prefencode *p, const struct plan *plan, int k, struct prefencode_ledger *ledger)
{
	int32_t eos = tokenizer_eos(p->t);

	for (int i = 0; i < k; i++) {
		struct sequence *s = &p->sequences[i];
		size_t n = s->n - plan->prompt, uncounted = s->inside - plan->prompt;

		if (!uncounted && !(plan->head + plan->tail))
			uncounted = 1;
		s->length = least(n, plan->completion);
		if (s->length <= uncounted)
			return false;
		if (s->length < n && p->all.v[s->at + s->n - 1] == eos)
			ledger->eos_lost++;
	}
	return true;
}

/* ---- the record */

static int store(struct prefencode *p, const struct pref_rec *in, const struct plan *plan,
	struct pref_rec *out, struct err *err)
{
	const int32_t *first = p->all.v + p->sequences[0].at;
	size_t lost = plan->prompt - plan->head - plan->tail, k = (size_t)in->k;

	if (mem_grow(&p->seg, &p->seg_cap, k + 2, sizeof *p->seg, err) ||
		mem_grow(&p->skip, &p->skip_cap, k, sizeof *p->skip, err) ||
		mem_grow(&p->cut, &p->cut_cap, 2 * k, sizeof *p->cut, err))
		return -1;
	p->tokens.n = 0;
	if (ids_reserve(&p->tokens, p->all.n, err))
		return -1;
	memcpy(p->tokens.v, first, plan->head * sizeof *first);
	memcpy(p->tokens.v + plan->head, first + plan->prompt - plan->tail,
		plan->tail * sizeof *first);
	p->tokens.n = plan->head + plan->tail;
	p->seg[0] = 0;
	p->seg[1] = (int64_t)p->tokens.n;
	for (size_t i = 0; i < k; i++) {
		const struct sequence *s = &p->sequences[i];

		memcpy(p->tokens.v + p->tokens.n, p->all.v + s->at + plan->prompt,
			s->length * sizeof *first);
		p->tokens.n += s->length;
		p->seg[i + 2] = (int64_t)p->tokens.n;
		p->skip[i] = (int32_t)(s->inside - plan->prompt);
		p->cut[2 * i] = (int32_t)lost;
		p->cut[2 * i + 1] = (int32_t)(s->n - plan->prompt - s->length);
	}
	*out = (struct pref_rec){.id = in->id,
		.k = in->k,
		.seg = p->seg,
		.tokens = p->tokens.v,
		.skip = p->skip,
		.label = in->label,
		.cut = p->cut,
		.meta = in->meta,
		.meta_len = in->meta_len};
	return 0;
}

static bool has_identical(const struct pref_rec *r)
{
	for (int i = 1; i <= r->k; i++) {
		size_t n = (size_t)pref_len(r, i) * sizeof *r->tokens;

		for (int j = 1; j < i; j++)
			if (pref_len(r, j) == pref_len(r, i) &&
				!memcmp(r->tokens + r->seg[j], r->tokens + r->seg[i], n))
				return true;
	}
	return false;
}

static void note(
	const struct prefencode *p, const struct pref_rec *r, struct prefencode_ledger *ledger)
{
	int32_t bos = tokenizer_bos(p->t);
	uint64_t cut = 0;

	for (int i = 0; i < r->k; i++)
		cut += (uint64_t)r->cut[2 * i + 1];
	ledger->kept++;
	ledger->truncated += r->cut[0] || cut;
	ledger->cut_prompt += (uint64_t)r->cut[0];
	ledger->cut_completion += cut;
	ledger->identical += has_identical(r);
	ledger->bos_twice +=
		bos >= 0 && pref_len(r, 0) > 1 && r->tokens[0] == bos && r->tokens[1] == bos;
}

int prefencode_record(struct prefencode *p, const struct pref_rec *in, struct pref_rec *out,
	struct prefencode_ledger *ledger, struct err *err)
{
	struct prefencode_ledger lost = *ledger;
	struct plan plan = {0};
	size_t prompt, longest = 0;
	bool empty = false;
	int merged, rc;

	if (mem_grow(&p->sequences, &p->sequences_cap, (size_t)in->k, sizeof *p->sequences, err) ||
		encode(p, in, err))
		return -1;
	prompt = common_prompt(p, in->k);
	for (int i = 0; i < in->k; i++) {
		const struct sequence *s = &p->sequences[i];
		size_t uncounted = s->inside ? s->inside : 1;

		empty = empty || s->n <= uncounted;
		if (s->n - prompt > longest)
			longest = s->n - prompt;
	}
	if (empty) {
		ledger->empty++;
		return 0;
	}
	rc = make_plan(p, prompt, longest, &plan, err);
	if (rc < 0)
		return -1;
	if (rc == 0 || !cut_completions(p, &plan, in->k, &lost)) {
		ledger->too_long++;
		return 0;
	}
	merged = is_merged(p, in, err);
	if (merged < 0 || store(p, in, &plan, out, err))
		return -1;
	*ledger = lost;
	ledger->merged += (uint64_t)merged;
	note(p, out, ledger);
	return 1;
}
