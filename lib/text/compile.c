#include "text/compile.h"

#include <string.h>

#include "text/repair.h"

struct json *compile_parse(const struct compile_options *o, const char *text, size_t n,
	size_t *replaced, struct err *why)
{
	struct json *json = json_parse(text, n, why);
	struct buf repaired = BUF_INIT;

	*replaced = 0;
	if (json || !o->replace)
		return json;
	*replaced = repair_text(text, n, &repaired);
	if (*replaced && buf_check(&repaired, why) == 0) {
		*why = (struct err)ERR_INIT;
		json = json_parse(repaired.data, repaired.len, why);
	}
	buf_release(&repaired);
	return json;
}

static bool is_enough(const struct compile_options *o, const struct json *row, struct fault *fault)
{
	double x;

	for (size_t i = 0; i < o->nmin; i++) {
		if (!layout_number(layout_find(row, o->min[i].path), &x))
			return fault_set(fault, FAULT_BELOW, "no number '%.60s'", o->min[i].path);
		if (x < o->min[i].least)
			return fault_set(fault, FAULT_BELOW, "'%.60s' is %g, less than %g", o->min[i].path, x, o->min[i].least);
	}
	return true;
}

/* The parts' marks as those of the record's text; NULL where there are none. */
static int set_plain(const struct layout_row *row, struct pref_rec *rec, struct arena *arena, struct err *err)
{
	bool any = false;
	uint8_t *plain;

	for (int i = 0; i <= row->k; i++)
		any |= row->parts[i].plain != NULL;
	if (!any)
		return 0;
	plain = arena_new(arena, (size_t)rec->seg[rec->k + 1] + 1, 1, err);
	if (!plain)
		return -1;
	for (int i = 0; i <= row->k; i++) {
		if (row->parts[i].plain)
			memcpy(plain + rec->seg[i], row->parts[i].plain, row->parts[i].len);
		else
			memset(plain + rec->seg[i], 0, row->parts[i].len);
	}
	rec->plain = plain;
	return 0;
}

static int put_meta(const struct compile_options *o, const struct layout *l, const struct json *row,
	struct compiled *out, struct arena *arena, struct err *err)
{
	struct buf meta = BUF_INIT;
	const char *copy = NULL;

	layout_put_meta(&meta, l, row, &o->how);
	if (buf_check(&meta, err) == 0)
		copy = arena_copy(arena, meta.data, meta.len, err);
	for (size_t i = 0; copy && i < out->n; i++) {
		out->records[i].rec.meta = copy;
		out->records[i].rec.meta_len = meta.len;
	}
	buf_release(&meta);
	return copy ? 0 : -1;
}

static int make_records(const struct compile_options *o, struct layout_row *row, struct compiled *out,
	struct arena *arena, struct err *err)
{
	struct layout_row *rows;
	size_t n;

	if (pairs_make(row, o->pairs, &rows, &n, arena, err))
		return -1;
	if (!n)
		fault_set(&out->fault, FAULT_NO_PREFERENCE, "all %d completions have the same score", row->k);
	out->records = arena_new(arena, n, sizeof *out->records, err);
	out->turns = row->turns;
	if (!out->records)
		return -1;
	for (; out->n < n; out->n++) {
		struct compiled_record *r = &out->records[out->n];

		if (layout_record(&rows[out->n], &r->rec, arena, err) ||
			set_plain(&rows[out->n], &r->rec, arena, err))
			return -1;
		lint_row(&r->lint, &rows[out->n], o->specials);
	}
	return 0;
}

static void note_replaced(struct compiled *out, size_t replaced)
{
	struct fault note;

	fault_set(&note, FAULT_REPLACED, "%zu places that are not Unicode became U+FFFD", replaced);
	for (size_t i = 0; i < out->n; i++)
		lint_add(&out->records[i].lint, &note);
}

int compile_row(const struct compile_options *o, const struct layout *l, const char *text, size_t n,
	struct compiled *out, struct arena *arena, struct err *err)
{
	struct err why = ERR_INIT;
	size_t replaced;
	struct json *json = compile_parse(o, text, n, &replaced, &why);
	struct layout_row row;
	int rc;

	*out = (struct compiled){.n = 0};
	if (!json) {
		fault_set(&out->fault, FAULT_NOT_JSON, "%.200s", why.text);
		return 0;
	}
	rc = is_enough(o, json, &out->fault) ? layout_read(l, json, &o->how, arena, &row, &out->fault, err) : 0;
	if (rc == 1)
		rc = make_records(o, &row, out, arena, err);
	if (rc == 0 && replaced)
		note_replaced(out, replaced);
	if (rc == 0 && o->meta && out->n)
		rc = put_meta(o, l, json, out, arena, err);
	json_free(json);
	return rc;
}
