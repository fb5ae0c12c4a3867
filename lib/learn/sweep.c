#include "learn/sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* ---- the records */

void sweep_release(struct sweep *s)
{
	free(s->id);
	free(s->at);
	free(s->p);
	free(s->q);
	free(s->raw);
	free(s->counted);
	free(s->label);
	*s = (struct sweep)SWEEP_INIT;
}

static int reserve(struct sweep *s, size_t completions, struct err *err)
{
	if (mem_grow(&s->id, &s->cap_id, s->n + 1, sizeof *s->id, err) ||
		mem_grow(&s->at, &s->cap_at, s->n + 2, sizeof *s->at, err) ||
		mem_grow(&s->p, &s->cap_p, completions, sizeof *s->p, err) ||
		mem_grow(&s->raw, &s->cap_raw, completions, sizeof *s->raw, err) ||
		mem_grow(&s->counted, &s->cap_counted, completions, sizeof *s->counted, err) ||
		(s->reference && mem_grow(&s->q, &s->cap_q, completions, sizeof *s->q, err)) ||
		(s->labelled &&
			mem_grow(&s->label, &s->cap_label, completions, sizeof *s->label, err)))
		return -1;
	return 0;
}

int sweep_add(struct sweep *s, uint64_t id, const struct loss_example *e, struct err *err)
{
	size_t k = (size_t)e->k, at = s->n ? s->at[s->n] : 0;

	if (reserve(s, at + k, err))
		return -1;
	for (int c = 0; c < e->k; c++)
		if (e->n[c] < 1)
			return err_set(err, ERR_FAILED,
				"record %016llx: completion %d has no token that counts",
				(unsigned long long)id, c + 1);
	memcpy(s->p + at, e->p, k * sizeof *s->p);
	memcpy(s->raw + at, e->raw, k * sizeof *s->raw);
	memcpy(s->counted + at, e->n, k * sizeof *s->counted);
	if (s->reference)
		memcpy(s->q + at, e->q, k * sizeof *s->q);
	if (s->labelled)
		memcpy(s->label + at, e->label, k * sizeof *s->label);
	s->id[s->n] = id;
	s->at[s->n] = at;
	s->at[++s->n] = at + k;
	return 0;
}

static int completions_of(const struct sweep *s, size_t i)
{
	return (int)(s->at[i + 1] - s->at[i]);
}

static const float *label_of(const struct sweep *s, size_t i)
{
	return s->labelled ? s->label + s->at[i] : NULL;
}

const char *sweep_misfit(const struct sweep *s, const struct loss *l)
{
	const char *why = NULL;

	if (loss_needs_reference(l) && !s->reference)
		return "the loss needs the reference's log-probs";
	for (size_t i = 0; i < s->n && !why; i++)
		why = loss_misfit(l, completions_of(s, i), label_of(s, i));
	return why;
}

/* ---- a batch */

struct batch {
	const struct sweep *s;
	const struct loss *l;
	struct loss_state state;
	struct loss_example *items;
	const size_t *records;
	int64_t n;
	double *g; /* derivatives of all items, gp and graw */
	size_t cap_g;
};

static int fill(
	struct batch *b, const struct sweep_how *how, size_t from, size_t *records, struct err *err)
{
	const struct sweep *s = b->s;
	size_t left = s->n - from, completions = 0;
	double *g;

	b->n = left < (size_t)how->batch ? (int64_t)left : how->batch;
	for (int64_t i = 0; i < b->n; i++) {
		records[i] = how->order ? how->order[from + (size_t)i] : from + (size_t)i;
		completions += (size_t)completions_of(s, records[i]);
	}
	if (mem_grow(&b->g, &b->cap_g, 2 * completions, sizeof *b->g, err))
		return -1;
	g = b->g;
	for (int64_t i = 0; i < b->n; i++) {
		size_t at = s->at[records[i]];
		int k = loss_completions(b->l, completions_of(s, records[i]));

		b->items[i] = (struct loss_example){
			.k = k,
			.p = s->p + at,
			.raw = s->raw + at,
			.q = loss_needs_reference(b->l) ? s->q + at : NULL,
			.n = s->counted + at,
			.label = label_of(s, records[i]),
			.weight = 1,
			.gp = g,
			.graw = g + k,
		};
		g += 2 * k;
	}
	b->records = records;
	return 0;
}

static struct loss_totals totals_of(const struct batch *b)
{
	struct loss_totals t = {.examples = b->n};

	for (int64_t i = 0; i < b->n; i++)
		t.tokens += b->items[i].n[0];
	return t;
}

/* ---- sums */

struct sums {
	double loss, of;	      /* of: what the losses stand for, records or tokens */
	double gradient[2], sides[2]; /* absolute ones, of the two sides; how many */
	double weights, squares;
};

/* Keeps the heaviest, in order. */
static void note_top(struct sweep_row *row, int top, uint64_t id, double weight)
{
	int at = row->tops;

	while (at > 0 && row->top[at - 1].weight < weight)
		at--;
	if (at == top || weight == 0)
		return;
	if (row->tops < top)
		row->tops++;
	memmove(row->top + at + 1, row->top + at, sizeof *row->top * (size_t)(row->tops - at - 1));
	row->top[at] = (struct sweep_share){.id = id, .weight = weight};
}

static void add_item(
	struct sums *sums, struct sweep_row *row, const struct batch *b, int64_t i, int top)
{
	const struct loss_example *e = &b->items[i];
	double weight = 0;

	for (int c = 0; c < e->k; c++) {
		double g = fabs(e->gp[c] + e->graw[c]) * (double)b->n;
		int side = loss_side(e->k, e->label, c);

		weight += g;
		if (side < 0)
			continue;
		sums->gradient[side] += g;
		sums->sides[side]++;
	}
	sums->weights += weight;
	sums->squares += weight * weight;
	note_top(row, top, b->s->id[b->records[i]], weight);
}

static void add_batch(struct sums *sums, struct sweep_row *row, struct batch *b, int top)
{
	struct loss_totals totals = totals_of(b);
	struct loss_seen seen;
	double of = (double)(b->l->n == 1 && loss_has(b->l, LOSS_SFT) ? totals.tokens
								      : totals.examples);

	sums->loss += of * loss_eval(b->l, &b->state, true, b->items, b->n, &totals, &seen);
	sums->of += of;
	for (int64_t i = 0; i < b->n; i++)
		add_item(sums, row, b, i, top);
}

int sweep_eval(const struct sweep *s, const struct loss *l, const struct sweep_how *how,
	struct sweep_row *row, struct err *err)
{
	struct batch b = {.s = s, .l = l, .state = LOSS_STATE_INIT};
	size_t most = s->n < (size_t)how->batch ? s->n : (size_t)how->batch;
	size_t *records = mem_new(most, sizeof *records, err);
	struct sums sums = {0};
	int rc = records ? loss_state_reserve(&b.state, (int64_t)most, err) : -1;

	*row = (struct sweep_row){0};
	if (rc == 0)
		b.items = mem_new(most, sizeof *b.items, err);
	rc = b.items ? 0 : -1;
	for (size_t from = 0; from < s->n && rc == 0; from += (size_t)b.n) {
		rc = fill(&b, how, from, records, err);
		if (rc == 0)
			add_batch(&sums, row, &b, how->top);
	}
	row->loss = sums.loss / sums.of;
	row->chosen = sums.gradient[0] / sums.sides[0];
	row->rejected = sums.gradient[1] / sums.sides[1];
	row->effective = sums.squares > 0 ? sums.weights * sums.weights / sums.squares : 0;
	for (int i = 0; i < row->tops; i++)
		row->top[i].share = row->top[i].weight / sums.weights;
	loss_state_release(&b.state);
	free(b.items);
	free(records);
	free(b.g);
	return rc;
}
