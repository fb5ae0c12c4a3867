/*
 * A file of lines that grows while a program works, and that a later run can take up again where a checkpoint left
 * it. Lines are in the file at once; where the path ends in ".gz", in gzip members of 256 KiB of text, and before
 * a checkpoint.
 *
 *	struct journal j = JOURNAL_INIT;
 *
 *	journal_open(&j, "log.jsonl", 0, err);
 *	journal_add(&j, text, n, err);
 *	journal_sync(&j, &bytes, err);             remember bytes: journal_open(&j, path, bytes, err) goes on from there
 *	journal_close(&j, err);
 */
#ifndef IO_JOURNAL_H
#define IO_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct journal {
	int fd;		  /* -1: nothing is written */
	const char *path; /* borrowed */
	bool gzip;
	struct buf text; /* that waits for a member */
};

#define JOURNAL_INIT {.fd = -1, .text = BUF_INIT}

/*
 * path "-": standard output; NULL: none, and all calls then do nothing. from: bytes that the file has from before and
 * keeps, 0 for a new one; what stands behind them is cut off. ERR_MISMATCH where it has fewer.
 */
int journal_open(struct journal *j, const char *path, int64_t from, struct err *err);

/* Whole lines. */
int journal_add(struct journal *j, const char *text, size_t n, struct err *err);

/* Everything so far is on disk; *bytes: how much that is in a file, 0 elsewhere. */
int journal_sync(struct journal *j, int64_t *bytes, struct err *err);

/* Always; twice is fine. */
int journal_close(struct journal *j, struct err *err);

#endif
