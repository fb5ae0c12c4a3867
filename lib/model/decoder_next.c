/* Passes that keep their keys and values, and see those of earlier ones. */
#include <string.h>

#include "base/mem.h"
#include "model/decoder_impl.h"

size_t decoder_page(const struct decoder *d)
{
	return (size_t)decoder_part(&d->m->arch, (int)d->m->arch.layers);
}

/* Do sequences of these lengths turn alike? */
static bool turn_alike(const struct arch *a, int64_t one, int64_t other)
{
	for (int i = 0; i < a->rotations; i++)
		if (rope_class(&a->rotation[i], one) != rope_class(&a->rotation[i], other))
			return false;
	return true;
}

/* Classes come in runs of lengths, so that the end of one is found by halving. */
int64_t decoder_room(const struct decoder *d, int64_t n)
{
	const struct arch *a = &d->m->arch;
	int64_t most = n < a->positions ? n + 1 : n, beyond = a->positions + 1;

	while (beyond - most > 1) {
		int64_t middle = most + (beyond - most) / 2;

		if (turn_alike(a, n + 1, middle))
			most = middle;
		else
			beyond = middle;
	}
	return most;
}

/* A pass over d->next; its rows from last on are those that something follows. */
static int pass(struct decoder *d, const struct past *past, bool alone, int64_t last, struct err *err)
{
	const struct pack *p = &d->next;
	int64_t n = p->rows - last, wide = d->m->arch.hidden;

	if (decoder_check(d, p, err) || decoder_reserve(d, p->rows, n, p->longest, err))
		return -1;
	d->past = past;
	d->alone = alone;
	decoder_walk(d, p);
	d->past = NULL;
	d->alone = false;
	memcpy(d->head, d->normed + last * wide, sizeof *d->head * (size_t)(n * wide));
	return 0;
}

int decoder_start(struct decoder *d, const int32_t *token, int64_t n, float *const *page, struct err *err)
{
	const int64_t seg[] = {0, n};

	pack_clear(&d->next);
	if (mem_grow(&d->pasts, &d->pasts_cap, (size_t)n, sizeof *d->pasts, err) ||
		pack_add(&d->next, token, seg, 0, NULL, err))
		return -1;
	for (int64_t i = 0; i < n; i++)
		d->pasts[i] = (struct past){page, i + 1};
	return pass(d, d->pasts, false, n - 1, err);
}

int decoder_next(struct decoder *d, const int32_t *token, const struct past *past, int64_t n, struct err *err)
{
	pack_clear(&d->next);
	for (int64_t i = 0; i < n; i++)
		if (pack_add_next(&d->next, token[i], past[i].len - 1, err))
			return -1;
	return pass(d, past, true, 0, err);
}

float *decoder_next_logits(struct decoder *d, int64_t first, int64_t *n)
{
	if (*n > d->chunk)
		*n = d->chunk;
	d->alone = true;
	decoder_logits(d, first, *n);
	d->alone = false;
	return d->logits;
}
