/*
 * JSON, read by cJSON behind stricter doors: the text must be valid UTF-8 without stray control characters,
 * keys are compared exactly, a string may hold zero bytes (\u0000), a key may not, numbers are finite
 * doubles, which remember their text, and an error names its byte. What cJSON allows beyond RFC 8259 (zeros before a number, tabs
 * and newlines within a string) is allowed. Written canonically: no white
 * space, only '"', '\' and control characters escaped, as Python's json.dumps(ensure_ascii=False,
 * separators=(",", ":")) writes strings.
 *
 *	struct json *row = json_parse(line, n, err);
 *	const struct json *chosen = row ? json_get(row, "chosen") : NULL;
 *
 *	for (const struct json *m = json_first(chosen); m; m = json_next(m))
 *		use(json_text(json_get(m, "content")));
 *	json_free(row);
 *
 * Every function that reads a value takes NULL too, and answers as for a value of another kind.
 */
#ifndef IO_JSON_H
#define IO_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct json;

enum json_kind {
	JSON_NONE,
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

/* One value and white space around it. NULL with ERR_CORRUPT and the byte where it went wrong. */
struct json *json_parse(const char *text, size_t n, struct err *err);

/* The whole file (at most limit bytes) parsed; errors name the path. */
struct json *json_load(const char *path, size_t limit, struct err *err);

/* What json_parse and json_load returned; never a part of it. NULL is fine. */
void json_free(struct json *root);

enum json_kind json_kind(const struct json *v);

/* Arrays and objects: their values in order. NULL at the end, and for other kinds. */
const struct json *json_first(const struct json *v);
const struct json *json_next(const struct json *v);
size_t json_count(const struct json *v);    /* walks them */
const char *json_key(const struct json *v); /* the name of an object's value, else NULL */

/* The first value of that exact name, walking; NULL. Not for vocabularies. */
const struct json *json_get(const struct json *object, const char *key);

/* A string's bytes (zero-terminated; *n their number, n may be NULL), else NULL. */
const char *json_string(const struct json *v, size_t *n);

const char *json_text(const struct json *v); /* json_string without the number */

/*
 * How a number was written, where its double cannot tell: with a fraction or an exponent, or with more than
 * 15 digits. NULL for others, which are integers.
 */
const char *json_number_text(const struct json *v);

/* True, and *out, where v is a number (an integer within +-2^53 for json_int; a boolean). */
bool json_number(const struct json *v, double *out);
bool json_int(const struct json *v, int64_t *out);
bool json_bool(const struct json *v, bool *out);

/* Appends s as a JSON string with its quotes; or without them: one line, whatever is in it. */
void json_quote(struct buf *out, const char *s, size_t n);
void json_escape(struct buf *out, const char *s, size_t n);

/* The same of any bytes: what is not UTF-8 becomes U+FFFD. */
void json_quote_bytes(struct buf *out, const char *s, size_t n);

/* Appends a number as JSON has it, the shortest that reads back as the same double; NaN as null. */
void json_put_number(struct buf *out, double x);
void json_put_float(struct buf *out, float x); /* as the same float */

/* Appends v canonically, object keys in their order, numbers as they were written. */
void json_write(struct buf *out, const struct json *v);

#endif
