/*
 * Hopping over a tensor stream, tstream(5), from one member header to the next: blocks are not inflated,
 * in a seekable file not even read. Headers, their order and the counts of END are checked; what is in the
 * blocks is not. The payloads of H and E, which are small, are decoded.
 *
 *	struct tshop *h = tshop_open(path, 0, err);
 *	const struct tshop_member *m;
 *
 *	while ((rc = tshop_next(h, &m, err)) == 1)
 *		list(m);
 *	tshop_close(h);                            rc = 0: every segment has its END
 */
#ifndef IO_TSHOP_H
#define IO_TSHOP_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "io/tsgrammar.h"

struct tshop;

struct tshop_member {
	struct member member;
	uint64_t offset;	/* of the member within the file, in bytes */
	struct safetensors doc; /* of H and E; empty for others */
};

/* path: "-" is standard input. max_payload: 0 for MEMBER_MAX_PAYLOAD. NULL on failure. */
struct tshop *tshop_open(const char *path, uint64_t max_payload, struct err *err);

/* 1 and a member, ancillary ones too, valid until the next call; 0 after the last END; -1. */
int tshop_next(struct tshop *h, const struct tshop_member **m, struct err *err);

/* Replaces out by the csize - MEMBER_HEAD bytes behind the header of a block; at most once a member. */
int tshop_read_body(struct tshop *h, struct buf *out, struct err *err);

/* Heads and counts so far; digests are what the ENDs say. */
const struct tsgrammar *tshop_grammar(const struct tshop *h);

uint64_t tshop_offset(const struct tshop *h); /* bytes passed so far */

void tshop_close(struct tshop *h); /* NULL is fine */

#endif
