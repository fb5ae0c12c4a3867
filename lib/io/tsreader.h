/*
 * Reading tensor streams, tstream(5): from files or a pipe, inflated by several threads, every checksum
 * checked, and the end insisted on.
 *
 *	struct tsreader *r = tsreader_open(paths, npaths, &options, err);
 *	struct tsblock *b;
 *	int rc;
 *
 *	while ((rc = tsreader_next(r, &b, err)) == 1)
 *		use(b);                               valid until the next call
 *	if (rc == 0)                                  every segment had its END: the input was whole
 *		use(tsreader_totals(r));
 *	tsreader_close(r);
 */
#ifndef IO_TSREADER_H
#define IO_TSREADER_H

#include <stdint.h>

#include "base/err.h"
#include "io/member.h"
#include "io/meta.h"
#include "io/safetensors.h"
#include "io/tsgrammar.h"

struct tsreader;

struct tsblock {
	struct member member;
	uint64_t offset;  /* of the member within its file, in bytes */
	const char *path; /* that file */
	uint8_t *
		payload; /* member.usize bytes on a 64-byte boundary; may be taken, for free(): set to NULL */
	struct safetensors doc; /* of the payload */
};

struct tsreader_options {
	int threads;	      /* that inflate; 0: the caller's own */
	uint64_t max_payload; /* 0: MEMBER_MAX_PAYLOAD */
};

/*
 * Opens n files, read one after the other; n = 0, or the path "-", is standard input. Each must be whole.
 * Reads the first header. paths must outlive the reader. NULL on failure.
 */
struct tsreader *tsreader_open(
	char *const *paths, int n, const struct tsreader_options *options, struct err *err);

/* The first segment's metadata; those that follow must agree in all but `prov` and `writer`. */
const struct meta *tsreader_meta(const struct tsreader *r);

/* SHA-256 of the first H payload: names the input in provenance. */
const char *tsreader_head_sha256(const struct tsreader *r);

/* 1 and a block; 0 at the end, after END; -1. Errors name file, member and byte. */
int tsreader_next(struct tsreader *r, struct tsblock **block, struct err *err);

const struct tstotals *tsreader_totals(const struct tsreader *r);

uint64_t tsreader_segments(const struct tsreader *r); /* begun so far */
uint64_t tsreader_bytes(const struct tsreader *r);    /* of the members read so far, compressed */

void tsreader_close(struct tsreader *r); /* NULL is fine */

#endif
