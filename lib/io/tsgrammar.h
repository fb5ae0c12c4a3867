/*
 * The grammar of tensor streams, stream = segment+, segment = H B* E: which member may follow which, that
 * they count without a gap, that the segments' headers agree and that END's ledger is right. For readers
 * that inflate everything (tsreader.h) and for those that hop from header to header (tshop.h):
 *
 *	tsgrammar_order(&g, &member, err);        for each member, before its body
 *	tsgrammar_head(&g, ...);                  H, once decoded
 *	tsgrammar_end(&g, ...);                   E, once decoded
 *	tsgrammar_step(&g, &member);              then on to the next
 *	...
 *	tsgrammar_finish(&g, err);                at the end of input
 */
#ifndef IO_TSGRAMMAR_H
#define IO_TSGRAMMAR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "io/member.h"
#include "io/meta.h"
#include "io/safetensors.h"

/* What the END members said, summed over segments. */
struct tstotals {
	uint64_t records, members, tokens; /* members: between H and END */
	uint64_t dropped, truncated;	   /* by every tool so far */
	char payload_sha256[65];	   /* of the only segment, or of all their digests in order;
					      "" where an END that was not checked does not say it */
};

struct tsgrammar {
	struct meta head;      /* the first segment's */
	char head_sha256[65];  /* of its payload */
	uint64_t segments;     /* begun */
	uint64_t seq, records; /* within this segment: members and records so far */
	bool inside;	       /* a segment: after H, before E */
	struct tstotals
		totals;	    /* of the segments that ended; the digest after tsgrammar_finish() */
	struct buf digests; /* of the segments that ended, 64 digits each */
};

#define TSGRAMMAR_INIT                                                                             \
	{                                                                                          \
		.head = META_INIT                                                                  \
	}

void tsgrammar_release(struct tsgrammar *g);

/* May this member follow? ERR_CORRUPT. */
int tsgrammar_order(const struct tsgrammar *g, const struct member *m, struct err *err);

/* Opens a segment. doc is that of the n bytes at payload. ERR_CORRUPT, ERR_MISMATCH. */
int tsgrammar_head(struct tsgrammar *g, const struct safetensors *doc, const uint8_t *payload,
	size_t n, struct err *err);

/* Appends the payload of an H or E: a document of that metadata, if it fits (ERR_LIMIT). */
int tsgrammar_encode(
	struct buf *out, enum member_kind kind, const struct meta *meta, struct err *err);

/* What a reader of all payloads knows of a segment. */
struct tsgrammar_seen {
	uint64_t tokens;
	char payload_sha256[65];
};

/* Closes it. seen is checked against what END says, where it says so; NULL where nothing was inflated. */
int tsgrammar_end(struct tsgrammar *g, const struct member *m, const struct safetensors *doc,
	const struct tsgrammar_seen *seen, struct err *err);

void tsgrammar_step(struct tsgrammar *g, const struct member *m);

/* ERR_CORRUPT unless there was a segment and the last one ended. */
int tsgrammar_finish(struct tsgrammar *g, struct err *err);

/*
 * Adds another file's segments, both finished (g may also be TSGRAMMAR_INIT: it becomes a copy), as if
 * one file followed the other. ERR_MISMATCH where the heads do not agree.
 */
int tsgrammar_join(struct tsgrammar *g, const struct tsgrammar *more, struct err *err);

#endif
