/*
 * Work on a conveyor belt: jobs go in at one end, are done by several threads at once, and come out at
 * the other end in the order they went in. One thread puts, one thread takes (they may be the same).
 * With 0 threads a job is done by whoever takes it.
 *
 *	struct conveyor *c = conveyor_new(4, 8, inflate_block, err);
 *
 *	conveyor_put(c, job);        waits while the belt is full
 *	job = conveyor_take(c);      waits for the oldest to be done; NULL after conveyor_end(c)
 */
#ifndef IO_CONVEYOR_H
#define IO_CONVEYOR_H

#include <stdbool.h>

#include "base/err.h"

struct conveyor;

/* length: how many jobs may be on the belt. NULL with err set on failure. */
struct conveyor *conveyor_new(int threads, int length, void (*work)(void *job), struct err *err);

/* False, and the job is not taken over, once conveyor_cancel() was called. */
bool conveyor_put(struct conveyor *c, void *job);

void conveyor_end(struct conveyor *c); /* no more jobs will be put */
void *conveyor_take(struct conveyor *c);

/* From now on conveyor_put() fails, and conveyor_take() hands out what is left, perhaps undone. */
void conveyor_cancel(struct conveyor *c);

/*
 * A whole run, in the calling thread but for the work: fill() gets each of the n jobs in turn, again and
 * again, until it says 0 (there is no more) or -1; take() gets them, worked on, in that order. Also after a
 * -1 the jobs that were filled before are taken. 0, or -1 where any of them said so.
 */
struct conveyor_run {
	void **jobs;
	int n, threads;
	int (*fill)(void *context, void *job, struct err *err);
	void (*work)(void *job);
	int (*take)(void *context, void *job, struct err *err);
	void *context;
};

int conveyor_run(const struct conveyor_run *r, struct err *err);

/* Only when nobody puts or takes any more and the belt is empty. NULL is fine. */
void conveyor_free(struct conveyor *c);

#endif
