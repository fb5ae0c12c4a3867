#include "learn/follower.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/pack.h"

struct follower {
	const struct model *policy;
	const struct ops *ops;
	struct model model; /* the policy's twin */
	struct decoder *decoder;
	int64_t batch_tokens;
	bool moved;
	struct pack pack;
	struct logp_row *rows;
	size_t rows_cap;
};

struct follower *follower_new(const struct model *m, const struct ops *ops, int64_t batch_tokens, struct err *err)
{
	struct follower *f = mem_new(1, sizeof *f, err);

	if (!f)
		return NULL;
	*f = (struct follower){.policy = m, .ops = ops, .batch_tokens = batch_tokens, .pack = PACK_INIT};
	if (model_twin(&f->model, m, err) == 0)
		f->decoder = decoder_new(&f->model, ops, DECODER_FORGET, err);
	if (!f->decoder) {
		follower_free(f);
		return NULL;
	}
	return f;
}

void follower_free(struct follower *f)
{
	if (!f)
		return;
	decoder_free(f->decoder);
	model_twin_release(&f->model);
	pack_release(&f->pack);
	free(f->rows);
	free(f);
}

int follower_memory(const struct model *m, const struct ops *ops, int64_t rows, int64_t counted, int64_t longest,
	size_t *bytes, struct err *err)
{
	struct decoder *d = decoder_new(m, ops, DECODER_FORGET, err);

	if (!d)
		return -1;
	*bytes = model_trained(m)->count * sizeof(float) + decoder_memory(d, rows, counted, longest);
	decoder_free(d);
	return 0;
}

void follower_move(struct follower *f, double share)
{
	f->ops->blend(f->ops, model_trained_weights(&f->model), model_trained_weights(f->policy), (float)(1 - share),
		(int64_t)model_trained(f->policy)->count);
	f->moved = true;
}

bool follower_moved(const struct follower *f)
{
	return f->moved;
}

/* An example's log-probs from its counted tokens' rows; returns where the next one's begin. */
static const struct logp_row *set_reference(
	struct example *e, const struct logp_row *rows, struct arena *arena, struct err *err)
{
	float *sums = arena_new(arena, (size_t)e->k, sizeof *sums, err), *tokens = NULL;
	int64_t all = 0, at = 0;

	for (int c = 0; c < e->k; c++)
		all += example_counted(e, c);
	if (e->ref_tokens)
		tokens = arena_new(arena, (size_t)all + 1, sizeof *tokens, err);
	if (!sums || (e->ref_tokens && !tokens))
		return NULL;
	for (int c = 0; c < e->k; c++) {
		double sum = 0;

		for (int64_t end = at + example_counted(e, c); at < end; at++) {
			sum += (double)rows[at].logp;
			if (tokens)
				tokens[at] = rows[at].logp;
		}
		sums[c] = (float)sum;
	}
	e->ref = sums;
	e->ref_tokens = tokens;
	return rows + all;
}

static int refer_part(struct follower *f, struct example *batch, int64_t from, int64_t to, struct arena *arena,
	struct err *err)
{
	const struct logp_row *rows;

	if (mem_grow(&f->rows, &f->rows_cap, (size_t)f->pack.counted, sizeof *f->rows, err) ||
		decoder_forward(f->decoder, &f->pack, f->rows, err))
		return -1;
	rows = f->rows;
	for (int64_t i = from; i < to; i++) {
		rows = set_reference(&batch[i], rows, arena, err);
		if (!rows)
			return -1;
	}
	return 0;
}

int follower_refer(struct follower *f, struct example *batch, int64_t n, struct arena *arena, struct err *err)
{
	for (int64_t from = 0, to = 0; to < n; from = to) {
		pack_clear(&f->pack);
		for (; to < n; to++) {
			const struct example *e = &batch[to];

			if (to > from && f->pack.rows + pack_rows(e->seg, e->k) > f->batch_tokens)
				break;
			if (pack_add(&f->pack, e->tokens, e->seg, e->k, e->uncounted, err))
				return -1;
		}
		if (refer_part(f, batch, from, to, arena, err))
			return -1;
	}
	return 0;
}

float *follower_weights(struct follower *f)
{
	return model_trained_weights(&f->model);
}

void follower_restore(struct follower *f, bool moved)
{
	f->moved = moved;
}
