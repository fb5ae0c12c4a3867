/*
 * JSON records from a file, plain or gzipped, one at a time: JSON Lines, where a record is a line that is
 * not blank; one JSON array, where it is an element; or a table (csv.h), whose rows become objects of
 * strings. The first line that is not blank tells which. Memory is bound by the longest record, not by the
 * file.
 *
 * Records are found, not parsed. Of JSON Lines any line will do; of an array only brackets, strings and
 * commas are looked at, and what makes the next element impossible to find is an error of the whole file,
 * as is a table's row with more or fewer fields than columns.
 *
 *	struct lines *in = lines_open(path, LINES_MAX_RECORD, NULL, err);
 *	struct lines_record r;
 *	int rc;
 *
 *	while ((rc = lines_next(in, &r, err)) == 1)
 *		row = json_parse(r.text, r.len, &why);
 *	lines_close(in);
 */
#ifndef IO_LINES_H
#define IO_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sha256.h"

/* Half of what a reader of streams takes as one block, so that what is read can also be written. */
#define LINES_MAX_RECORD ((size_t)32 << 20)

struct lines;

struct lines_record {
	const char *text; /* without white space around it; valid until the next call; no zero byte follows */
	size_t len;
	uint64_t line;	  /* of its first byte, from 1 */
	uint64_t element; /* which one of the array, from 1; 0 in other files */
};

/*
 * path: "-" is standard input; it must outlive the reader. limit: of one record, in bytes. digest: gets
 * all bytes of the (inflated) file as they are read; complete after lines_next() returned 0; or NULL.
 * NULL on failure.
 */
struct lines *lines_open(const char *path, size_t limit, struct sha256 *digest, struct err *err);

/* 1, 0 at the end of the file, -1. Errors name file and line; a record beyond the limit is ERR_LIMIT. */
int lines_next(struct lines *l, struct lines_record *r, struct err *err);

/* After lines_next(): is there nothing but white space in the file, neither a record nor [] nor a table's head? */
bool lines_blank(const struct lines *l);

/*
 * The next line of plain text as it stands, without its line break ("\n" or "\r\n"), blank ones too; instead of
 * lines_next(), not between its calls.
 */
int lines_next_plain(struct lines *l, struct lines_record *r, struct err *err);

void lines_close(struct lines *l); /* NULL is fine */

#endif
