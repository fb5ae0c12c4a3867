/*
 * Splitting a stream of preference records into contiguous parts of equal numbers of records. Whole
 * blocks are copied as they are, with new numbers in their headers; only a block that a boundary cuts is
 * inflated and written anew. So the digest of a part's payloads, and how many tokens it has, are not known
 * and not in its END. Ancillary members are left out.
 *
 *	struct tssplit *s = tssplit_open(path, 0, err);
 *
 *	tssplit_write(s, "part-", 10, &meta, err);     part-0000.tsz to part-0009.tsz
 *	tssplit_close(s);
 */
#ifndef IO_TSSPLIT_H
#define IO_TSSPLIT_H

#include <stdint.h>

#include "base/err.h"
#include "io/tsgrammar.h"

#define TSSPLIT_MAX_PARTS 10000

struct tssplit;

/*
 * Hops over the whole file, which must be a regular one, and counts. max_payload: 0 for
 * MEMBER_MAX_PAYLOAD. NULL on failure.
 */
struct tssplit *tssplit_open(const char *path, uint64_t max_payload, struct err *err);

/* Head and totals of the file. */
const struct tsgrammar *tssplit_grammar(const struct tssplit *s);

/*
 * Writes n parts (some of them empty if there are fewer records), each under its name only when it is
 * complete; meta becomes the header of each. The ledger of what was lost goes into the first.
 */
int tssplit_write(
	struct tssplit *s, const char *prefix, int n, const struct meta *meta, struct err *err);

void tssplit_close(struct tssplit *s); /* NULL is fine */

#endif
