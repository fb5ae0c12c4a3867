/*
 * Batches fetched ahead: while a step computes, a thread of its own reads and inflates the records of the next one.
 *
 *	struct ahead a = AHEAD_INIT;
 *
 *	ahead_take(&a, &want, &batch, err);   the batch: what was fetched, or fetched now if that was another
 *	ahead_start(&a, &next);               returns at once; from now on the store is the thread's
 *	ahead_release(&a);                    before the store is closed
 */
#ifndef CMD_AHEAD_H
#define CMD_AHEAD_H

#include <pthread.h>
#include <stdbool.h>

#include "cmd/cmd_batch.h"

/* A batch by its place in a run: n records of store from place at on (batch_record_at()). */
struct ahead_want {
	struct prefstore *store;
	uint64_t at;
	int64_t n;
	bool shuffle;
	uint64_t seed;
	int reference; /* as batch_add() takes them */
	bool tokens;
};

struct ahead {
	struct batch batch;
	struct ahead_want want;
	bool running;
	int rc; /* of the thread, with err, once it has ended */
	struct err err;
	pthread_t thread;
};

#define AHEAD_INIT {.batch = BATCH_INIT}

/* The wanted batch, in place of what b held; a failure is that of the records that were wanted. */
int ahead_take(struct ahead *a, const struct ahead_want *want, struct batch *b, struct err *err);

/* Where no thread can be had, nothing is fetched ahead. Only after ahead_take(). */
void ahead_start(struct ahead *a, const struct ahead_want *want);

void ahead_release(struct ahead *a);

#endif
