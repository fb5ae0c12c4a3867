/* What a file holds, by its first bytes. */
#ifndef CMD_EVALKIND_H
#define CMD_EVALKIND_H

#include "base/err.h"

enum eval_kind { EVAL_STREAM, EVAL_RECORDS, EVAL_LOG };

/*
 * EVAL_STREAM for a tensor stream, tstream(5); anything else are records: JSON or a table, plain or gzipped.
 * A regular file whose first record has a number "step" and no verdict is a training log, EVAL_LOG.
 * Nothing is read from "-", standard input, be it a file, a pipe or a socket: what is there stays there.
 * -1 with err, ERR_CORRUPT for what is empty: a program before has failed.
 */
int eval_kind(const char *path, struct err *err);

#endif
