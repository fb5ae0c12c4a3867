/*
 * What losses make of log-probs that are known already: their values, the gradients that they would send into a
 * model, and which records would get most of it. No model takes part.
 *
 *	struct sweep s = SWEEP_INIT;
 *	struct sweep_row row;
 *
 *	sweep_add(&s, id, &example, err);              each record
 *	why = sweep_misfit(&s, &loss);                 can that loss be trained on all of them?
 *	sweep_eval(&s, &loss, &how, &row, err);        by several threads at once, if one likes
 *	sweep_release(&s);
 *
 * Memory: 16 bytes a record, and 36 a completion.
 */
#ifndef LEARN_SWEEP_H
#define LEARN_SWEEP_H

#include "learn/loss.h"

struct sweep {
	size_t n; /* records */
	bool reference, labelled;
	uint64_t *id;
	size_t *at; /* [n + 1] each record's first completion */
	double *p, *q, *raw;
	int64_t *counted;
	float *label;
	size_t cap_id, cap_at, cap_p, cap_q, cap_raw, cap_counted, cap_label;
};

/* To be set: whether all records have a reference's log-probs, and labels. */
#define SWEEP_INIT {.n = 0}

void sweep_release(struct sweep *s);

/*
 * Copies a record: k, p, q, raw, n and label of it, as loss_eval() takes them. ERR_FAILED where a completion has
 * no counted token.
 */
int sweep_add(struct sweep *s, uint64_t id, const struct loss_example *e, struct err *err);

/* Why the loss cannot be trained on these records, for people; NULL: it can. */
const char *sweep_misfit(const struct sweep *s, const struct loss *l);

/* How training would go through them: in batches of so many. */
struct sweep_how {
	int64_t batch;
	const uint64_t *order; /* [n] records in the order of training; NULL: as they were added */
	int top;	       /* records to name, up to SWEEP_TOP */
};

#define SWEEP_TOP 100

struct sweep_share {
	uint64_t id;
	double weight, share; /* of all weights */
};

/*
 * A record's gradient by p of completion c is that of its batch's loss times the records of the batch; its weight
 * is the sum of their absolute values over its completions.
 */
struct sweep_row {
	double loss;		 /* mean, over what the loss is a mean of */
	double chosen, rejected; /* mean absolute gradient; NAN where there are none of that side */
	double effective; /* records: (sum of weights)^2 / sum of their squares; 0 where all are 0 */
	int tops;
	struct sweep_share top[SWEEP_TOP]; /* the heaviest first; none of weight 0 */
};

/* Once through all records; the loss's state begins anew. The loss must be settled, and fit. */
int sweep_eval(const struct sweep *s, const struct loss *l, const struct sweep_how *how,
	struct sweep_row *row, struct err *err);

#endif
