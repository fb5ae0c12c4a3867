/*
 * Evaluations of log-probs, between their parts:
 *
 *	cmd_evallogp.c        reads records
 *	cmd_evallogptext.c    prints them
 *	cmd_evallogpkl.c      prints KL, and scores that came with records
 *	cmd_evallogpjson.c    and as JSON
 *	cmd_evallogpdraw.c    and draws them
 */
#ifndef CMD_EVALLOGP_H
#define CMD_EVALLOGP_H

#include "cmd/cmd_eval.h"
#include "eval/margins.h"
#include "eval/names.h"
#include "eval/paired.h"
#include "eval/reward.h"

#define LOGP_QUANTILES 5 /* of length */

/* A policy on the records of a stream. */
struct logp_model {
	const char *policy, *file; /* file: NULL where there is but one stream */
	int column;
	struct reward reward;
	struct margins margins;
	struct paired paired;  /* first: the stream's first policy; unused for that one */
	struct reward *groups; /* by logp_eval.groups */
	size_t ngroups, cap;
};

struct logp_eval {
	const struct eval_options *o;
	bool reference; /* there is one */
	struct logp_model *all;
	size_t n, policies; /* policies: of each stream */
	struct names groups;
};

/* Reasons for doubt beyond reward.h's. */
enum {
	LOGP_RANKINGS = 1 << 16,
	LOGP_ALL_WON = 1 << 17,
	LOGP_FEW_IN_GROUP = 1 << 18,
	LOGP_SAME_POLICIES = 1 << 19,
	LOGP_SAMPLES = 1 << 20,
};

extern const struct eval_doubt logp_doubts[];

unsigned logp_find_doubts(const struct logp_eval *e, const struct logp_model *m);

/* Of completions, the share that became less likely. */
double logp_share_fell(const struct reward_side *s);

/* Is there something to say of chosen and rejected completions, and of records one by one? */
bool logp_has_sides(const struct logp_eval *e);
bool logp_has_singles(const struct logp_eval *e);

/* Of one policy; and for tables of several, without the first columns. */
void logp_put_kl(struct buf *out, const struct logp_eval *e, const struct reward *r);
void logp_put_given(struct buf *out, const struct logp_eval *e, const struct reward *r);
void logp_put_record_heads(struct table *t, const struct logp_eval *e);
void logp_put_record_row(struct table *t, const struct logp_eval *e, struct reward *r);

void logp_put_text(struct buf *out, struct logp_eval *e);
int logp_draw(const struct logp_eval *e, struct eval_output *out, struct err *err);
void logp_put_json(struct buf *out, struct logp_eval *e);

#endif
