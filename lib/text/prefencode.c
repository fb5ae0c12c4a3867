#include "text/prefencode.h"

#include <string.h>

#include "text/compat.h"
#include "text/sequences.h"

struct prefencode {
	const struct prefencode_rules *rules;
	struct sequences s;
};

/* Is EOS appended? */
static bool ends(const struct prefencode_rules *rules)
{
	return rules->eos == PREFENCODE_ALWAYS ||
	       (rules->eos == PREFENCODE_AUTO && !rules->rendered);
}

struct prefencode *prefencode_new(
	const struct tokenizer *t, const struct prefencode_rules *rules, struct err *err)
{
	bool compat = rules->compat && rules->compat->needs_eos(rules);
	struct prefencode *p;

	if ((compat || (!rules->compat && ends(rules))) && tokenizer_eos(t) < 0) {
		err_set(err, ERR_FAILED,
			"tokenizer_config.json names no EOS token that the tokenizer has%s%s",
			compat ? ", and the rule needs one: " : "; the rule 'never' does without",
			compat ? rules->compat->name : "");
		return NULL;
	}
	p = mem_new(1, sizeof *p, err);
	if (!p)
		return NULL;
	p->rules = rules;
	if (sequences_init(&p->s, t, err)) {
		prefencode_free(p);
		return NULL;
	}
	return p;
}

void prefencode_free(struct prefencode *p)
{
	if (!p)
		return;
	sequences_release(&p->s);
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
	to->plain += from->plain;
}

/* ---- encoding */

/* Piece i is prompt, completion i and EOS; piece k the prompt alone. */
static int encode(struct prefencode *p, const struct pref_rec *in, struct err *err)
{
	unsigned flags = p->rules->rendered ? 0 : ENCODE_SPECIAL;
	size_t prompt = (size_t)pref_len(in, 0);
	int32_t eos = tokenizer_eos(p->s.t);
	struct piece piece;

	for (int i = 0; i < in->k; i++) {
		sequences_text(&p->s, in, 0, i + 1);
		if (sequences_encode(&p->s, prompt, flags, err))
			return err_at(err, "completion %d", i + 1);
		piece = sequences_piece(&p->s, (size_t)i);
		if (ends(p->rules) && (!piece.n || piece.v[piece.n - 1] != eos) &&
			sequences_encode_id(&p->s, eos, err))
			return -1;
	}
	sequences_text(&p->s, in, 0, 0);
	return sequences_encode(&p->s, prompt, flags, err) ? err_at(err, "prompt") : 0;
}

/* How many tokens the sequences begin with alike that come from the prompt. */
static size_t common_prompt(const struct sequences *s, int k)
{
	struct piece first = sequences_piece(s, 0);
	size_t n = first.before, same;

	for (int i = 1; i < k; i++) {
		struct piece other = sequences_piece(s, (size_t)i);

		if (other.before < n)
			n = other.before;
		for (same = 0; same < n && first.v[same] == other.v[same]; same++)
			;
		n = same;
	}
	return n;
}

/* Is the prompt by itself not what some sequence begins with? */
static bool is_merged(const struct sequences *s, int k)
{
	struct piece prompt = sequences_piece(s, (size_t)k);
	size_t n = prompt.before;

	for (int i = 0; i < k; i++) {
		struct piece whole = sequences_piece(s, (size_t)i);

		if (whole.n < n || (n && memcmp(whole.v, prompt.v, n * sizeof *whole.v)))
			return true;
	}
	return false;
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
	struct piece first = sequences_piece(&p->s, 0);
	size_t n = p->rules->rendered ? prompt && first.v[0] == tokenizer_bos(p->s.t)
				      : tokenizer_leading(p->s.t);

	return n < prompt ? n : prompt;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static enum sequences_fate make_plan(const struct prefencode *p, size_t prompt, size_t longest,
	struct plan *plan, struct err *err)
{
	const struct prefencode_rules *rules = p->rules;
	size_t max = rules->max_length ? (size_t)rules->max_length : SIZE_MAX;
	size_t max_prompt = rules->max_prompt ? (size_t)rules->max_prompt : SIZE_MAX;
	size_t keep = leading(p, prompt), stored = least(prompt, max_prompt);

	*plan = (struct plan){prompt, prompt, 0, longest};
	if (prompt <= max_prompt && longest <= max && prompt <= max - longest)
		return SEQUENCES_MADE;
	if (rules->truncate == PREFENCODE_DROP)
		return SEQUENCES_TOO_LONG;
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
	return plan->completion > 0 ? SEQUENCES_MADE : SEQUENCES_TOO_LONG;
}

/* Sequence i, cut by the plan. */
static enum sequences_fate add_cut(
	struct prefencode *p, int i, const struct plan *plan, struct err *err)
{
	struct piece whole = sequences_piece(&p->s, (size_t)i);
	size_t n = whole.n - plan->prompt, uncounted = whole.before - plan->prompt;
	struct sequence q = {
		.prompt = {piece_part(whole, 0, plan->head),
			piece_part(whole, plan->prompt - plan->tail, plan->tail)},
		.completion = piece_part(whole, plan->prompt, plan->completion),
		.uncounted = uncounted,
		.cut_prompt = plan->prompt - plan->head - plan->tail,
	};

	q.cut_completion = n - q.completion.n;
	if (q.completion.n <= uncounted)
		return SEQUENCES_TOO_LONG;
	if (q.cut_completion && whole.v[whole.n - 1] == tokenizer_eos(p->s.t))
		p->s.eos_lost++;
	return sequences_add(&p->s, &q, err) ? SEQUENCES_FAILED : SEQUENCES_MADE;
}

/* Our rule, as the header has it. */
static enum sequences_fate encode_joint(
	struct prefencode *p, const struct pref_rec *in, struct err *err)
{
	enum sequences_fate fate;
	struct plan plan = {0};
	size_t prompt, longest = 0;

	if (encode(p, in, err))
		return SEQUENCES_FAILED;
	prompt = common_prompt(&p->s, in->k);
	for (int i = 0; i < in->k; i++) {
		struct piece whole = sequences_piece(&p->s, (size_t)i);

		if (whole.n <= (whole.before ? whole.before : 1))
			return SEQUENCES_EMPTY;
		if (whole.n - prompt > longest)
			longest = whole.n - prompt;
	}
	p->s.merged = is_merged(&p->s, in->k);
	fate = make_plan(p, prompt, longest, &plan, err);
	for (int i = 0; i < in->k && fate == SEQUENCES_MADE; i++)
		fate = add_cut(p, i, &plan, err);
	return fate;
}

/* ---- the record */

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

/* Does the text hold what was marked? */
static bool is_marked(const struct pref_rec *in)
{
	size_t n = (size_t)(in->seg[in->k + 1] - in->seg[0]);

	return in->plain && n && memchr(in->plain + in->seg[0], 1, n);
}

static void note(
	const struct prefencode *p, const struct pref_rec *r, struct prefencode_ledger *ledger)
{
	int32_t bos = tokenizer_bos(p->s.t);
	uint64_t prompt = 0, completion = 0;

	for (int i = 0; i < r->k; i++) {
		prompt = prompt > (uint64_t)r->cut[2 * i] ? prompt : (uint64_t)r->cut[2 * i];
		completion += (uint64_t)r->cut[2 * i + 1];
	}
	ledger->kept++;
	ledger->truncated += prompt || completion;
	ledger->cut_prompt += prompt;
	ledger->cut_completion += completion;
	ledger->eos_lost += p->s.eos_lost;
	ledger->merged += p->s.merged;
	ledger->identical += has_identical(r);
	ledger->bos_twice +=
		bos >= 0 && pref_len(r, 0) > 1 && r->tokens[0] == bos && r->tokens[1] == bos;
}

int prefencode_record(struct prefencode *p, const struct pref_rec *in, struct pref_rec *out,
	struct prefencode_ledger *ledger, struct err *err)
{
	enum sequences_fate fate;

	sequences_clear(&p->s);
	fate = p->rules->compat ? p->rules->compat->encode(p->rules, &p->s, in, err)
				: encode_joint(p, in, err);
	if (fate == SEQUENCES_MADE)
		fate = sequences_record(&p->s, in, out, err);
	if (fate == SEQUENCES_FAILED)
		return -1;
	ledger->empty += fate == SEQUENCES_EMPTY;
	ledger->too_long += fate == SEQUENCES_TOO_LONG;
	if (fate != SEQUENCES_MADE)
		return 0;
	ledger->plain += is_marked(in);
	note(p, out, ledger);
	return 1;
}
