/*
 * Pages for keys and values (num/ops.h, struct past), lent and taken back. What a sequence may come to need is
 * promised to it before it begins, so that none at work waits for another.
 *
 *	struct pages p = {.floats = decoder_page(d), .most = 100};
 *
 *	if (pages_left(&p) >= n && pages_promise(&p, n, err) == 0)
 *		pages_take(&p, &page, err);             up to n of them
 *	pages_give(&p, page);
 *	pages_recall(&p, n);
 *	pages_release(&p);
 */
#ifndef MODEL_PAGES_H
#define MODEL_PAGES_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct pages {
	size_t floats;		/* of a page */
	int64_t most, promised; /* pages */
	float **spare;		/* [spares] taken back */
	size_t spares, cap;
};

static inline int64_t pages_left(const struct pages *p)
{
	return p->most - p->promised;
}

int pages_promise(struct pages *p, int64_t n, struct err *err);
void pages_recall(struct pages *p, int64_t n); /* n of those promised will not be taken any more */

/* One that was promised. Its floats are not set. */
int pages_take(struct pages *p, float **page, struct err *err);
void pages_give(struct pages *p, float *page);

void pages_release(struct pages *p); /* those that were taken back; others are whoever's took them */

#endif
