/* Batches of examples for the trainer, from records by number. */
#ifndef CMD_BATCH_H
#define CMD_BATCH_H

#include "io/prefstore.h"
#include "learn/trainer.h"

struct batch {
	struct pref_rec *recs; /* copies in the arena */
	struct example *examples;
	size_t n, cap, examples_cap;
	struct arena arena;
};

#define BATCH_INIT {.arena = ARENA_INIT}

/* Empties it. */
void batch_clear(struct batch *b);

/*
 * Adds record i of the store. reference: the place of its column, or -1 where none is needed; tokens: with
 * its log-probs by token.
 */
int batch_add(struct batch *b, struct prefstore *s, uint64_t i, int reference, bool tokens, struct err *err);

/*
 * The record that comes at place at, counted through all epochs, of a stream of n: each epoch in an order of its
 * own by seed, or as they stand.
 */
uint64_t batch_record_at(uint64_t n, bool shuffle, uint64_t seed, uint64_t at);

void batch_release(struct batch *b);

#endif
