/*
 * Tensor streams put together by hand, so that each part can be wrong:
 *
 *	struct forge f = {.out = BUF_INIT};
 *
 *	forge_head(&f, "7");
 *	forge_block(&f, 3);
 *	forge_end(&f);
 *	use(f.out.data, f.out.len);
 *	buf_release(&f.out);
 *
 * Further segments may follow. What cannot be done fails the test.
 */
#ifndef TESTS_FORGE_H
#define TESTS_FORGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/sha256.h"
#include "io/member.h"

struct forge {
	struct buf out;	       /* the stream, for buf_release() */
	uint64_t seq, records; /* of the next member, in its segment */
	struct sha256 payloads;
	size_t at[16]; /* where the members are in out */
	int n;
};

/* One member; at no level but stored for kind 'E'. seq and first are counted. */
void forge_member(struct forge *f, char kind, const void *payload, size_t n, uint32_t nrec);

/* A member of metadata alone: keys and values in turn, then NULL. */
void forge_meta(struct forge *f, char kind, const char *const *pairs);

/* Begins a segment of schema "numbers". */
void forge_head(struct forge *f, const char *vocab);

/* n records of one number each. */
void forge_block(struct forge *f, uint32_t n);

/* The END that is right for what came since the head. */
void forge_end(struct forge *f);

/* A stream that is whole: a head, blocks of 1, 3 and 3 records, and the END. */
struct forge forge_whole(void);

/* Changes a field of member i's header and makes its checksum right again. */
void forge_patch(struct forge *f, int i, size_t at, const void *bytes, size_t n);

/* Bytes of member i. */
size_t forge_member_size(const struct forge *f, int i);

#endif
