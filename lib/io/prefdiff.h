/* Where two records differ. */
#ifndef IO_PREFDIFF_H
#define IO_PREFDIFF_H

#include "io/pref.h"

/* What is compared besides ids and segments; columns of one stream alone are not. */
struct prefdiff {
	const struct pref_schema *a, *b;
	double tolerance; /* log-probs may differ by that share of their size */
};

/*
 * False where the records are the same; otherwise text says where they first differ: "completion 2, token
 * 17: 513 and 29".
 */
bool prefdiff_record(const struct prefdiff *d, const struct pref_rec *a, const struct pref_rec *b, char text[200]);

/* The columns that only one of the streams has, as "logp.ref in the first, meta in the second"; "" for none. */
int prefdiff_columns(const struct prefdiff *d, struct buf *out, struct err *err);

#endif
