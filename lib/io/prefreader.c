#include "io/prefreader.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct prefreader {
	struct tsreader *in;
	struct pref_schema schema;
	struct pref_block block;
	uint32_t next; /* record of the block */
};

struct prefreader *prefreader_open(
	char *const *paths, int n, const struct tsreader_options *options, struct err *err)
{
	struct prefreader *r = mem_new(1, sizeof *r, err);

	if (!r)
		return NULL;
	r->in = tsreader_open(paths, n, options, err);
	if (!r->in || pref_schema_get(&r->schema, tsreader_meta(r->in), err)) {
		prefreader_close(r);
		return NULL;
	}
	return r;
}

const struct meta *prefreader_meta(const struct prefreader *r)
{
	return tsreader_meta(r->in);
}

const struct pref_schema *prefreader_schema(const struct prefreader *r)
{
	return &r->schema;
}

const char *prefreader_head_sha256(const struct prefreader *r)
{
	return tsreader_head_sha256(r->in);
}

int prefreader_next(struct prefreader *r, struct pref_rec *rec, struct err *err)
{
	struct tsblock *b;
	int rc;

	while (r->next == r->block.n) {
		pref_block_release(&r->block);
		r->next = 0;
		rc = tsreader_next(r->in, &b, err);
		if (rc != 1)
			return rc;
		if (pref_block_open(
			    &r->block, &r->schema, &b->doc, b->payload, b->member.nrec, err)) {
			pref_block_release(&r->block);
			return err_at(err, "%s: block at byte %llu, records from %llu",
				strcmp(b->path, "-") ? b->path : "stdin",
				(unsigned long long)b->offset, (unsigned long long)b->member.first);
		}
	}
	pref_block_get(&r->block, r->next++, rec);
	return 1;
}

const struct tstotals *prefreader_totals(const struct prefreader *r)
{
	return tsreader_totals(r->in);
}

void prefreader_close(struct prefreader *r)
{
	if (!r)
		return;
	pref_block_release(&r->block);
	tsreader_close(r->in);
	free(r);
}
