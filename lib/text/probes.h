/*
 * Probes for KTO (arXiv 2402.01306): its estimate of the KL needs completions that were not written for the
 * prompt that they follow. Each record with one completion gets as its second the completion of the last
 * record before it that has another prompt, with the label -1; those at the very beginning wait for the first
 * that comes.
 */
#ifndef TEXT_PROBES_H
#define TEXT_PROBES_H

#include "io/pref.h"

struct probes {
	struct pref_schema schema;
	int (*put)(void *context, const struct pref_rec *rec, struct err *err);
	void *context;
	struct arena kept[2], waiting, work;
	struct pref_rec last, other; /* the last record, and the last with another prompt than that; k 0: none */
	struct pref_rec *queue;
	size_t n, cap;
};

/* put() gets the records, in order. Release p in any case. */
void probes_init(struct probes *p, const struct pref_schema *schema,
	int (*put)(void *context, const struct pref_rec *rec, struct err *err), void *context);

/* The next record, of text; ERR_MISMATCH if it has not one completion with a label. 0 or -1. */
int probes_add(struct probes *p, const struct pref_rec *rec, struct err *err);

/* No more will come. ERR_FAILED if all had the same prompt. 0 or -1. */
int probes_end(struct probes *p, struct err *err);

void probes_release(struct probes *p);

#endif
