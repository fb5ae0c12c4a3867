#include "io/tscheck.h"

#include <string.h>

#include "io/json.h"
#include "io/pref.h"
#include "io/tshop.h"

int tscheck_quick(struct tscheck *c, const char *path, const struct tsreader_options *options,
	struct err *err)
{
	struct tshop *h = tshop_open(path, options->max_payload, err);
	const struct tshop_member *m;
	int rc = h ? 1 : -1;

	while (rc == 1)
		rc = tshop_next(h, &m, err);
	if (rc == 0)
		*c = (struct tscheck){
			.totals = tshop_grammar(h)->totals,
			.segments = tshop_grammar(h)->segments,
			.bytes = tshop_offset(h),
		};
	tshop_close(h);
	return rc;
}

/* Each record's other fields are a JSON object. */
static int check_fields(const struct pref_block *b, struct err *err)
{
	struct pref_rec r;
	struct json *v;
	bool object;

	for (uint32_t i = 0; b->meta && i < b->n; i++) {
		pref_block_get(b, i, &r);
		if (!r.meta_len)
			continue;
		v = json_parse(r.meta, r.meta_len, err);
		object = json_kind(v) == JSON_OBJECT;
		json_free(v);
		if (!v)
			return err_at(err, "meta of record %u", i);
		if (!object)
			return err_set(
				err, ERR_CORRUPT, "meta of record %u is not a JSON object", i);
	}
	return 0;
}

static int check_block(const struct pref_schema *s, const struct tsblock *b, struct err *err)
{
	struct pref_block block;
	int rc = pref_block_open(&block, s, &b->doc, b->payload, b->member.nrec, err);

	if (rc == 0)
		rc = check_fields(&block, err);
	pref_block_release(&block);
	return rc == 0 ? 0
		       : err_at(err, "%s: block at byte %llu",
				 strcmp(b->path, "-") ? b->path : "stdin",
				 (unsigned long long)b->offset);
}

int tscheck_full(struct tscheck *c, const char *path, const struct tsreader_options *options,
	struct err *err)
{
	char *paths[1] = {(char *)(uintptr_t)path};
	struct tsreader *r = tsreader_open(paths, 1, options, err);
	const char *schema = r ? meta_get(tsreader_meta(r), "schema") : NULL;
	bool records = schema && !strncmp(schema, "pref.", 5);
	struct pref_schema s;
	struct tsblock *b;
	int rc = r ? 1 : -1;

	if (records && pref_schema_get(&s, tsreader_meta(r), err))
		rc = -1;
	while (rc == 1 && (rc = tsreader_next(r, &b, err)) == 1)
		if (records && check_block(&s, b, err))
			rc = -1;
	if (rc == 0)
		*c = (struct tscheck){
			.totals = *tsreader_totals(r),
			.segments = tsreader_segments(r),
			.bytes = tsreader_bytes(r),
		};
	tsreader_close(r);
	return rc;
}
