/*
 * Evaluations of verdicts, between their parts:
 *
 *	cmd_evaljudged.c        what verdicts come to
 *	cmd_evaljudgedtext.c    prints it
 *	cmd_evaljudgedjson.c    and as JSON
 *	cmd_evaljudgeddraw.c    and draws it
 */
#ifndef CMD_EVALJUDGED_H
#define CMD_EVALJUDGED_H

#include "cmd/cmd_eval.h"
#include "eval/bradley_terry.h"
#include "eval/length_control.h"

/* A model against the base, or against all where there is none. */
struct contest {
	int model, group; /* group: -1 for all */
	struct winrate rate;
	struct stats_interval interval; /* of the rate, from 0 to 1 */
	struct length_rate controlled;
};

struct judged {
	const struct eval_options *o;
	struct verdicts *v;
	int base; /* -1: none */
	struct contest *all, *groups;
	size_t n, ngroups;
	struct length_control lengths;
	struct ratings ratings;
	struct position position;
	unsigned doubts;
};

extern const struct eval_doubt judged_doubts[];

const char *judged_name(const struct judged *j, int model);

bool judged_undecided(const struct contest *c); /* the interval holds one half */
bool judged_pulled(const struct contest *c); /* the rate at even length is outside its interval */

/* Judges to compare with each other: none where there are many, such as people who vote once. */
int judged_judges(const struct judged *j);

void judged_put_text(struct buf *out, const struct judged *j);
void judged_put_json(struct buf *out, const struct judged *j);
int judged_draw(const struct judged *j, struct eval_output *out, struct err *err);

#endif
