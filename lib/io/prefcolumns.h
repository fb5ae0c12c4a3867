/*
 * The columns of a block that grows record by record, until it becomes a safetensors document.
 *
 *	struct prefcolumns c;
 *
 *	prefcolumns_init(&c, &schema);
 *	prefcolumns_add(&c, &rec);                 copies; failures show in prefcolumns_encode()
 *	prefcolumns_encode(&c, &payload, err);     and it is empty again
 *	prefcolumns_release(&c);
 */
#ifndef IO_PREFCOLUMNS_H
#define IO_PREFCOLUMNS_H

#include "base/buf.h"
#include "io/pref.h"

struct prefcolumns {
	const struct pref_schema *schema; /* must outlive it */
	uint32_t n;			  /* records */
	int64_t completions;
	struct buf id, rec, seg, text, plain, tokens, skip, cut, label, meta, meta_off;
	struct buf logp[PREF_MAX_LOGPS], tlogp[PREF_MAX_LOGPS];
};

void prefcolumns_init(struct prefcolumns *c, const struct pref_schema *schema);
void prefcolumns_release(struct prefcolumns *c);

/* Bytes of data so far, and what r would add. */
size_t prefcolumns_size(const struct prefcolumns *c);
size_t prefcolumns_room(const struct prefcolumns *c, const struct pref_rec *r);

/* r needs every column of the schema. */
void prefcolumns_add(struct prefcolumns *c, const struct pref_rec *r);

/* Appends the document to out and empties the columns, on failure too (ERR_LIMIT). */
int prefcolumns_encode(struct prefcolumns *c, struct buf *out, struct err *err);

#endif
