/*
 * Writing tensor streams, tstream(5): deflated by several threads, in order. A file gets its name only
 * with END; on a pipe the reader misses END until tswriter_finish(). Call that only after every input
 * was read to its own END and no record was lost.
 */
#ifndef IO_TSWRITER_H
#define IO_TSWRITER_H

#include <stdint.h>

#include "base/err.h"
#include "io/member.h"
#include "io/meta.h"
#include "io/safetensors.h"
#include "io/tsreader.h"

struct tswriter;

struct tswriter_options {
	int threads; /* that deflate; 0: the one that writes */
	int level;   /* 0 to 9; 0 stores */
};

/*
 * Writes the header to path ("-" is standard output, refused if that is a terminal). meta is copied;
 * `format` and `version` are added. NULL on failure.
 */
struct tswriter *tswriter_open(const char *path, const struct meta *meta,
	const struct tswriter_options *options, struct err *err);

/* Takes over payload (from malloc; a whole safetensors document) as the next block of nrec records. */
int tswriter_put(struct tswriter *w, void *payload, size_t n, uint32_t nrec, struct err *err);

/*
 * Writes END: what was written, `tokens`, and the ledger of what was lost on the way (input: the totals of
 * what was read, NULL if none; dropped and truncated: by this program). extra, which may be NULL, are
 * further entries. Gives the file its name. 0 or -1. Then, or instead, close.
 */
int tswriter_finish(struct tswriter *w, const struct tstotals *input, uint64_t tokens,
	uint64_t dropped, uint64_t truncated, const struct meta *extra, struct err *err);

void tswriter_close(struct tswriter *w); /* NULL is fine; an unfinished file is removed */

#endif
