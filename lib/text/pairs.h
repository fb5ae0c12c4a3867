/* Pairs out of rankings: a row with k completions, best first, becomes rows with two. */
#ifndef TEXT_PAIRS_H
#define TEXT_PAIRS_H

#include "text/layout.h"

enum pairs_how {
	PAIRS_NONE,	  /* the row as it is */
	PAIRS_BEST_WORST, /* the first and the last */
	PAIRS_ADJACENT,	  /* each and the one behind it */
	PAIRS_ALL,	  /* each and every one behind it */
};

/* Names in that order, NULL-terminated. */
extern const char *const pairs_names[];

/*
 * The row's pairs, in the arena, which borrow its parts; completions of equal score (labels) make none.
 * Rows with one completion stay as they are. 0 or -1.
 */
int pairs_make(struct layout_row *row, enum pairs_how how, struct layout_row **rows, size_t *n,
	struct arena *arena, struct err *err);

#endif
