/*
 * Preference records into a stream. Blocks close by content alone, before the record that would take
 * the data past 1 MiB or the count past 65,536, so that bytes do not depend on threads or timing.
 *
 *	struct prefwriter *out = prefwriter_open("-", &meta, &schema, &options, err);
 *
 *	prefwriter_add(out, &rec, err);        copies; rec needs every column of the schema
 *	prefwriter_finish(out, totals, 0, 0, NULL, err);
 *	prefwriter_close(out);
 */
#ifndef IO_PREFWRITER_H
#define IO_PREFWRITER_H

#include "io/pref.h"
#include "io/tswriter.h"

struct prefwriter;

/* As tswriter_open(); the schema is put into the metadata, and copied. */
struct prefwriter *prefwriter_open(const char *path, const struct meta *meta,
	const struct pref_schema *schema, const struct tswriter_options *options, struct err *err);

int prefwriter_add(struct prefwriter *w, const struct pref_rec *rec, struct err *err);

uint64_t prefwriter_records(const struct prefwriter *w); /* added so far */

/* As tswriter_finish(); tokens are counted. */
int prefwriter_finish(struct prefwriter *w, const struct tstotals *input, uint64_t dropped,
	uint64_t truncated, const struct meta *extra, struct err *err);

void prefwriter_close(struct prefwriter *w); /* NULL is fine */

#endif
