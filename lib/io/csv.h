/*
 * Tables as RFC 4180 has them, separated by commas or tabs: the first row names the columns, a field in
 * double quotes may hold separators, line breaks and doubled quotes. Rows come out as JSON objects of
 * strings, so that whoever reads JSON records reads tables too.
 */
#ifndef IO_CSV_H
#define IO_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct csv {
	char separator;
	struct buf *names; /* of the columns, as JSON strings */
	size_t n;
};

#define CSV_INIT {.names = NULL}

/*
 * The separator of a table whose first line that is, without its end; 0 where it is none: it begins as JSON
 * does, or has but one field.
 */
char csv_separator(const char *line, size_t n);

/*
 * Where the row at s ends, line break included: bytes, 0 where n bytes do not reach its end. *scanned:
 * bytes that an earlier call has looked at, 0 at first, with *quoted.
 */
size_t csv_row_end(const char *s, size_t n, size_t *scanned, bool *quoted);

/* The first row: sets c->separator and the names, which must differ. Release c in any case. */
int csv_head(struct csv *c, char separator, const char *row, size_t n, struct err *err);
void csv_release(struct csv *c);

/* Appends a later row as an object. ERR_CORRUPT where it has not as many fields, or stray quotes. */
int csv_row(const struct csv *c, const char *row, size_t n, struct buf *out, struct err *err);

#endif
