#include "io/prefwriter.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "io/prefcolumns.h"

#define BLOCK_BYTES ((size_t)1 << 20)

struct prefwriter {
	struct tswriter *out;
	struct pref_schema schema;
	struct prefcolumns columns; /* of the block that grows */
	uint64_t records, tokens;
};

struct prefwriter *prefwriter_open(const char *path, const struct meta *meta,
	const struct pref_schema *schema, const struct tswriter_options *options, struct err *err)
{
	struct prefwriter *w = mem_new(1, sizeof *w, err);
	struct meta head = META_INIT;

	if (!w)
		return NULL;
	w->schema = *schema;
	prefcolumns_init(&w->columns, &w->schema);
	if (meta_copy(&head, meta, err) == 0 && pref_schema_put(schema, &head, err) == 0)
		w->out = tswriter_open(path, &head, options, err);
	meta_release(&head);
	if (!w->out) {
		prefwriter_close(w);
		return NULL;
	}
	return w;
}

static int close_block(struct prefwriter *w, struct err *err)
{
	uint32_t n = w->columns.n;
	struct buf payload = BUF_INIT;

	if (!n)
		return 0;
	if (prefcolumns_encode(&w->columns, &payload, err)) {
		buf_release(&payload);
		return -1;
	}
	return tswriter_put(w->out, payload.data, payload.len, n, err);
}

int prefwriter_add(struct prefwriter *w, const struct pref_rec *r, struct err *err)
{
	size_t bytes = prefcolumns_size(&w->columns) + prefcolumns_room(&w->columns, r);

	if (w->columns.n && (w->columns.n == MEMBER_MAX_RECORDS || bytes > BLOCK_BYTES) &&
		close_block(w, err))
		return -1;
	prefcolumns_add(&w->columns, r);
	w->records++;
	if (!w->schema.text)
		w->tokens += (uint64_t)(r->seg[r->k + 1] - r->seg[0]);
	return 0;
}

uint64_t prefwriter_records(const struct prefwriter *w)
{
	return w->records;
}

int prefwriter_finish(struct prefwriter *w, const struct tstotals *input, uint64_t dropped,
	uint64_t truncated, const struct meta *extra, struct err *err)
{
	if (close_block(w, err))
		return -1;
	return tswriter_finish(w->out, input, w->tokens, dropped, truncated, extra, err);
}

void prefwriter_close(struct prefwriter *w)
{
	if (!w)
		return;
	prefcolumns_release(&w->columns);
	tswriter_close(w->out);
	free(w);
}
