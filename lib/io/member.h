/*
 * One member of a tensor stream: a gzip member whose 64-byte header says what it holds. See tstream(5)
 * for the layout. Nothing here does input or output; all functions may run in any thread.
 */
#ifndef IO_MEMBER_H
#define IO_MEMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define MEMBER_HEAD 64
#define MEMBER_TAIL 8
#define MEMBER_MAX_RECORDS 65536
#define MEMBER_MAX_PAYLOAD ((uint64_t)64 << 20) /* default limit on usize */

/* END's payload is of one size and stored, so that a completeness check is one read at the file's end. */
#define MEMBER_END_PAYLOAD 1024
#define MEMBER_END_SIZE (MEMBER_HEAD + 5 + MEMBER_END_PAYLOAD + MEMBER_TAIL)

/* A level that stores; otherwise deflate's 1 to 9. */
#define MEMBER_STORED 0

enum member_kind { MEMBER_HEADER = 'H', MEMBER_BLOCK = 'B', MEMBER_END = 'E' };

struct member {
	char kind; /* a member_kind, or a small letter: ancillary, to be skipped */
	uint16_t flags;
	uint32_t nrec;
	uint64_t seq, first, csize, usize;
	uint32_t ccrc;
};

static inline bool member_ancillary(const struct member *m)
{
	return m->kind >= 'a' && m->kind <= 'z';
}

/*
 * Reads and checks the first MEMBER_HEAD bytes: magic, checksum, version, kind, flags, and sizes against
 * deflate's own bound and max_payload (ERR_LIMIT). Whoever reads the stream checks seq, first and the
 * order of kinds.
 */
int member_parse(
	struct member *m, const uint8_t head[MEMBER_HEAD], uint64_t max_payload, struct err *err);

/*
 * Appends the whole member to out: header, deflated payload, trailer. kind, flags, nrec, seq and first
 * of m are used; csize, usize and ccrc are set.
 */
int member_encode(struct member *m, const void *payload, size_t n, int level, struct buf *out,
	struct err *err);

/* The header alone, of all fields of m. */
void member_put_head(const struct member *m, uint8_t head[MEMBER_HEAD]);

/*
 * rest: the csize - MEMBER_HEAD bytes after the header. Checks ccrc; inflates into payload (usize bytes),
 * which must end exactly there, and checks CRC32 and ISIZE; or both. ERR_CORRUPT.
 */
int member_check_body(const struct member *m, const uint8_t *rest, struct err *err);
int member_inflate(const struct member *m, const uint8_t *rest, void *payload, struct err *err);
int member_decode(const struct member *m, const uint8_t *rest, void *payload, struct err *err);

#endif
