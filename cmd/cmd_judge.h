/*
 * A judge: any program that reads a JSON object a line, {"prompt":...,"a":...,"b":...}, and answers each with
 * a line: A, B, tie, or the probability, from 0 to 1, that a is the better answer. It may answer one line and
 * exit, or go on; it is started again when it has gone.
 *
 *	struct judge j = JUDGE_INIT(command, 300);
 *
 *	if (judge_ask(&j, line, n, &share, err))
 *		it failed
 *	judge_close(&j);
 *
 * Each thread has its own.
 */
#ifndef CMD_JUDGE_H
#define CMD_JUDGE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

struct judge {
	const char *command; /* for sh -c */
	int64_t timeout;     /* seconds for an answer */
	pid_t pid;	     /* 0: not running */
	int to, from;
	struct buf answer; /* what was read beyond the last line */
};

#define JUDGE_INIT(c, seconds)                                                                     \
	{                                                                                          \
		.command = (c), .timeout = (seconds), .to = -1, .from = -1                         \
	}

/* SIGPIPE is ignored from now on: call it before the first judge. */
void judge_prepare(void);

/*
 * Asks by a line of n bytes, its line break included; *share: the probability that a is better. ERR_FAILED
 * where the judge cannot be started, ends without an answer, takes too long, or answers anything else; it is
 * stopped then.
 */
int judge_ask(struct judge *j, const char *line, size_t n, double *share, struct err *err);

/* Ends it, by the end of its input; one that does not end within a second is killed. */
void judge_close(struct judge *j);

#endif
