/* Verdicts from files: alpaca_eval's annotations, arena battles, plain tables. */
#ifndef CMD_VERDICTS_H
#define CMD_VERDICTS_H

#include "eval/verdicts.h"
#include "io/json.h"

/*
 * Adds all verdicts of a file, "-" for standard input: JSON Lines, a JSON array, or a table with a head
 * (io/lines.h), plain or gzipped. by: the field whose values are groups, or NULL. Errors name file and line.
 */
int cmd_verdicts_read(struct verdicts *v, const char *path, const char *by, struct err *err);

/*
 * Difficulties by item of v from a file of objects with "instruction" or "index" and "instruction_difficulty"
 * or "difficulty": for free(), [v->items.n]; NULL on failure, as where an item has none.
 */
double *cmd_difficulties_read(const struct verdicts *v, const char *path, struct err *err);

/* Writes such a file, JSON Lines; [v->items.n]. */
int cmd_difficulties_write(
	const struct verdicts *v, const double *difficulty, const char *path, struct err *err);

/*
 * Calls f for every record of a file; errors get file and line. A file may have none, as [] or as a table's head alone,
 * but blank it is ERR_CORRUPT: that is what a program that failed leaves. 0 or -1.
 */
int cmd_for_each_record(const char *path,
	int (*f)(void *context, const struct json *row, struct err *err), void *context,
	struct err *err);

/* An answer's characters: a string's, or of all that the assistant says in a list of messages; -1. */
double cmd_text_length(const struct json *v);

#endif
