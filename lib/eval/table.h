/*
 * A table of text: cells are added row by row, columns are as wide as they must be.
 *
 *	struct table t = TABLE_INIT;
 *
 *	table_add(&t, "model");
 *	table_add(&t, "wins");
 *	table_row(&t);
 *	table_add(&t, "%s", name);
 *	table_number(&t, 100 * rate, 2, " %");
 *	table_row(&t);
 *	table_put(&t, &out);
 *	table_release(&t);
 *
 * The first column is aligned to the left, the others to the right; so are their heads, the first row.
 */
#ifndef EVAL_TABLE_H
#define EVAL_TABLE_H

#include <stddef.h>

#include "base/buf.h"
#include "eval/stats.h"

#define TABLE_COLUMNS 24

struct table {
	struct buf cells;		  /* each ended by '\n'; a row by a second one */
	int width[TABLE_COLUMNS], column; /* in characters */
};

#define TABLE_INIT                                                                                 \
	{                                                                                          \
		.column = 0                                                                        \
	}

void table_add(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void table_number(struct table *t, double x, int decimals, const char *unit); /* "-" for NaN */
void table_count(struct table *t, uint64_t n);
void table_interval(
	struct table *t, struct stats_interval i, double factor, int decimals, const char *unit);
void table_row(struct table *t); /* ends it */

void table_put(const struct table *t, struct buf *out);
void table_release(struct table *t);

/* How many characters n bytes are: code points, of which each takes a place. */
int table_width(const char *s, size_t n);

#endif
