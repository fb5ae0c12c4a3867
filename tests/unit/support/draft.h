/*
 * Models as lists of tensors that a test may change before it writes them to the folder "model" of
 * tests/unit/support/folder.h:
 *
 *	draft_begin(&d, draft_llama);
 *	draft_find(&d, "model.norm.weight")->dtype = BF16;
 *	draft_open(&d, &m, MODEL_READ);
 *	...
 *	model_release(&m);
 *	draft_end(&d);
 *
 * What cannot be done fails the test.
 */
#ifndef TESTS_DRAFT_H
#define TESTS_DRAFT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/model.h"

/* config.json of small models with a vocabulary of 11. */
extern const char draft_gpt2[], draft_llama[], draft_llama_tied[];

struct draft_tensor {
	char name[100];
	enum dtype dtype;
	int rank;
	int64_t shape[3];
	float *values; /* the draft's */
	int file;      /* which shard */
	bool gone;     /* is not written */
};

#define DRAFT_MOST 40

struct draft {
	const char *config; /* the caller's */
	struct draft_tensor tensors[DRAFT_MOST];
	int n;
	int shards;	      /* 0: one file */
	const char *index;    /* instead of the one that fits */
	size_t pad;	      /* spaces behind each header */
	bool backwards;	      /* the order in the files */
	const char *metadata; /* a JSON object, or NULL */
};

/* All tensors that the config asks for, in F32, of values that every float dtype holds exactly; in one file. */
void draft_begin(struct draft *d, const char *config);

/* One more tensor, of rank 1 where d1 = 0. Its memory is for a shape of up to twice the elements. */
struct draft_tensor *draft_add(struct draft *d, const char *name, int64_t d0, int64_t d1);

struct draft_tensor *draft_find(struct draft *d, const char *name);

/* Elements, by the shape. */
size_t draft_count(const struct draft_tensor *t);

/* Deals the tensors out to so many files. */
void draft_shard(struct draft *d, int shards);

/* Writes the folder anew; tensors of no float dtype are bytes of 7. */
void draft_write(const struct draft *d);

/* Writes it, and opens it: m is for model_release(). */
void draft_open(const struct draft *d, struct model *m, enum model_use use);

/* Frees the tensors, and removes the folder. */
void draft_end(struct draft *d);

#endif
