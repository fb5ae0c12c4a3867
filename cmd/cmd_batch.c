#include "cmd/cmd_batch.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"

#define SHUFFLE_STREAM ((uint64_t)0x5ffu << 32) /* of random numbers; the epoch is added */

void batch_clear(struct batch *b)
{
	b->n = 0;
	arena_clear(&b->arena);
}

int batch_add(struct batch *b, struct prefstore *s, uint64_t i, int reference, bool tokens, struct err *err)
{
	struct pref_rec rec, *r;
	int64_t *uncounted;

	if (prefstore_get(s, i, &rec, err) ||
		mem_grow(&b->recs, &b->cap, b->n + 1, sizeof *b->recs, err) ||
		mem_grow(&b->examples, &b->examples_cap, b->n + 1, sizeof *b->examples, err))
		return -1;
	r = &b->recs[b->n];
	if (pref_copy(r, &rec, prefstore_schema(s), &b->arena, err) ||
		!(uncounted = arena_new(&b->arena, (size_t)rec.k, sizeof *uncounted, err)))
		return -1;
	for (int c = 0; c < r->k; c++)
		uncounted[c] = pref_uncounted(r, c);
	b->examples[b->n++] = (struct example){
		.id = r->id,
		.k = r->k,
		.tokens = r->tokens,
		.seg = r->seg,
		.uncounted = uncounted,
		.ref = reference >= 0 ? r->logp[reference] : NULL,
		.ref_tokens = reference >= 0 && tokens ? r->tlogp[reference] : NULL,
		.label = r->label,
	};
	return 0;
}

uint64_t batch_record_at(uint64_t n, bool shuffle, uint64_t seed, uint64_t at)
{
	return shuffle ? rng_permute(seed, SHUFFLE_STREAM + at / n, n, at % n) : at % n;
}

void batch_release(struct batch *b)
{
	free(b->recs);
	free(b->examples);
	arena_release(&b->arena);
	*b = (struct batch)BATCH_INIT;
}
