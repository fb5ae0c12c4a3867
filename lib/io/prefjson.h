/*
 * Preference records as lines of JSON, both ways. A record is one object:
 *
 *	{"id":"0123456789abcdef","prompt":[...],"chosen":[...],"rejected":[...],
 *	 "skip":[0,1],"label":[1,0],"cut":[[0,0],[0,3]],"logp.ref":[-12.5,-13],
 *	 "tlogp.ref":[[...],[...]],"meta":{...}}
 *
 * with lists of token ids or, in text, strings; "completions":[...] instead of "chosen" and "rejected"
 * unless there are two. Columns stand under their own names and are there in every record or in none;
 * "skip" is there where one is not zero. Numbers are written so that they read back bit for bit.
 *
 *	rc = prefjson_schema(&schema, row, err);              the first row tells the columns
 *	...
 *	arena_clear(&arena);
 *	if (prefjson_read(&rec, &schema, row, &arena, err) == 0)
 *		prefwriter_add(out, &rec, err);
 */
#ifndef IO_PREFJSON_H
#define IO_PREFJSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "io/json.h"
#include "io/pref.h"

/* Appends r and a newline. ERR_CORRUPT where its `meta` is not a JSON object. */
int prefjson_write(
	struct buf *out, const struct pref_rec *r, const struct pref_schema *s, struct err *err);

/* The schema that row's fields make; its vocab is left 0. ERR_CORRUPT, ERR_MISMATCH. */
int prefjson_schema(struct pref_schema *s, const struct json *row, struct err *err);

/*
 * row as a record of that schema, its arrays in the arena. {"prompt":...,"completion":...} is taken too.
 * Without "id" the record gets pref_make_id()'s. ERR_CORRUPT names the field; ERR_MISMATCH where row has
 * a column that the schema lacks, or lacks one.
 */
int prefjson_read(struct pref_rec *r, const struct pref_schema *s, const struct json *row,
	struct arena *arena, struct err *err);

#endif
