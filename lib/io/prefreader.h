/*
 * Preference records one after the other, from the streams in files or on a pipe.
 *
 *	struct prefreader *in = prefreader_open(paths, n, &options, err);
 *	struct pref_rec rec;
 *	int rc;
 *
 *	while ((rc = prefreader_next(in, &rec, err)) == 1)
 *		use(&rec);                     valid until the next call; pref_copy() keeps it
 *	prefreader_close(in);                  rc = 0: all was read, END included
 */
#ifndef IO_PREFREADER_H
#define IO_PREFREADER_H

#include "io/pref.h"
#include "io/tsreader.h"

struct prefreader;

/* As tsreader_open(); the first header must name a preference schema. */
struct prefreader *prefreader_open(
	char *const *paths, int n, const struct tsreader_options *options, struct err *err);

const struct meta *prefreader_meta(const struct prefreader *r);
const struct pref_schema *prefreader_schema(const struct prefreader *r);
const char *prefreader_head_sha256(const struct prefreader *r);

/* 1, 0 after END, -1. Errors name file, member, byte and record. */
int prefreader_next(struct prefreader *r, struct pref_rec *rec, struct err *err);

/* After prefreader_next() returned 0. */
const struct tstotals *prefreader_totals(const struct prefreader *r);

void prefreader_close(struct prefreader *r); /* NULL is fine */

#endif
