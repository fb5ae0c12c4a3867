/*
 * Tokens of several records, one behind the other without padding: each prompt once, then its
 * completions, each seeing the prompt and itself. A completion's last token is never an input, since
 * nothing follows it.
 *
 *	struct pack p = PACK_INIT;
 *
 *	pack_add(&p, tokens, seg, 2, uncounted, err);      once a record
 *	decoder_forward(d, &p, rows, err);                 p.counted log-probs, records in order
 *	pack_clear(&p);
 */
#ifndef MODEL_PACK_H
#define MODEL_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "num/ops.h"

struct pack {
	int64_t rows;
	int32_t *token, *pos; /* [rows] */
	size_t token_cap, pos_cap;
	struct span *span;
	int64_t *group; /* [groups + 1] */
	int64_t *end; /* [spans] counted tokens of spans up to and with this */
	int64_t spans, groups;
	size_t span_cap, group_cap, end_cap;
	/* Counted tokens: what they are, and which row predicts them. */
	int64_t counted;
	int64_t *row;
	int32_t *target;
	size_t row_cap, target_cap;
	int64_t longest; /* tokens of the longest sequence */
};

#define PACK_INIT {.rows = 0}

/*
 * Adds a record: segment s (0: the prompt; 1 to k: completions) is tokens[seg[s]] to tokens[seg[s + 1] - 1];
 * the first uncounted[i] tokens of completion i carry no loss, at least 1 where the prompt is empty.
 */
int pack_add(struct pack *p, const int32_t *tokens, const int64_t *seg, int k, const int64_t *uncounted,
	struct err *err);

/* Adds a record of one row alone, which follows so many tokens that are not in the pack. */
int pack_add_next(struct pack *p, int32_t token, int64_t before, struct err *err);

/*
 * Makes out the same records with prompts shared only by completions whose sequences, prompt and completion
 * together, are of one kind by their length; counted tokens keep their order.
 */
int pack_split(struct pack *out, const struct pack *p, int64_t (*kind)(const void *arg, int64_t length),
	const void *arg, struct err *err);

/* Tokens of the sequence that ends with completion span s. */
int64_t pack_length(const struct pack *p, int64_t s);

/* Rows that pack_add() would add. */
int64_t pack_rows(const int64_t *seg, int k);

void pack_clear(struct pack *p);
void pack_release(struct pack *p);

#endif
