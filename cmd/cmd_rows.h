/*
 * Rows of data files, compiled by several threads, in order:
 *
 *	struct cmd_rows rows = {.how = &how, .take = take, .found = found, .context = run};
 *
 *	cmd_rows_read(&rows, argv + first, argc - first, err);
 */
#ifndef CMD_ROWS_H
#define CMD_ROWS_H

#include "base/sha256.h"
#include "text/compile.h"
#include "text/survey.h"

struct cmd_row {
	struct survey_place place; /* file: for people */
	const char *text; /* as it stood, without white space around it */
	size_t len;
	const struct layout *layout; /* NULL where it was not known yet: then the row is no JSON */
	struct compiled compiled;
};

struct cmd_rows {
	const struct compile_options *how;
	const struct layout *layout; /* of all files; NULL: by the first row of each that is JSON, */
	uint64_t unknown;	     /* before which there may be so many that are not, in all */
	int threads;
	uint64_t skip, limit; /* rows passed over at first; rows to read, 0 for all */
	struct sha256 *digest; /* gets all input; or NULL */

	/* A file's layout is known. 0 or -1. */
	int (*found)(void *context, const char *file, const struct layout *l, struct err *err);
	/* A row. 0 or -1. */
	int (*take)(void *context, const struct cmd_row *row, struct err *err);
	void *context;

	uint64_t seen, rows; /* in the files; of those, read */
	bool whole;	     /* all input was read */
};

/* n = 0: standard input. 0 or -1. */
int cmd_rows_read(struct cmd_rows *r, const char *const *paths, int n, struct err *err);

#endif
