/* What evalwin's parts share: its options, what an evaluation comes to, JSON. */
#ifndef CMD_EVAL_H
#define CMD_EVAL_H

#include "cmd/cmd.h"
#include "eval/chart.h"
#include "eval/table.h"
#include "eval/verdicts.h"

struct eval_options {
	struct cmd_stream io;
	/* Of log-probs. */
	struct cmd_strings policies;
	const char *reference; /* "none": there is none */
	double beta;
	bool each;	   /* file is a stream of its own */
	const char *score; /* a field of records, or NULL */
	/* Of verdicts. */
	const char *baseline;			  /* a model's name, or NULL */
	const char *difficulty, *save_difficulty; /* files, or NULL */
	/* Of judges that are asked. */
	struct cmd_strings judges;
	const char *cache, *save_verdicts; /* save_verdicts: or NULL */
	int64_t jobs, retries, budget,
		timeout; /* budget: -1 for any number of calls; timeout in seconds */
	/* Of all. */
	const char *by; /* a field that splits records, or NULL */
	double level;
	int64_t resamples, seed;
	bool bars, ascii; /* in text */
};

/* An evaluation, as it is printed and drawn. */
struct eval_output {
	bool resampled; /* there is what a bootstrap resamples: ratings of models, by verdicts, or pairs of completions */
	struct buf text, json;
	struct chart *charts;
	size_t ncharts, cap;
};

void eval_output_release(struct eval_output *out);

/* A new chart, empty; until the next one is added. NULL with err. */
struct chart *eval_add_chart(struct eval_output *out, enum chart_kind kind, const char *title,
	const char *xlabel, const char *ylabel, struct err *err);

/* Metrics of training runs, dpo-step(1)'s --log. */
int eval_log(const struct eval_options *o, char *const *paths, int n, struct eval_output *out,
	struct err *err);

/* Verdicts of all files together. */
int eval_judged(const struct eval_options *o, char *const *paths, int n, struct eval_output *out,
	struct err *err);

/* The same of verdicts that are there; they get sorted. */
int eval_verdicts(
	const struct eval_options *o, struct verdicts *v, struct eval_output *out, struct err *err);

/* Verdicts of judges on pairs of answers. */
int eval_judge(const struct eval_options *o, char *const *paths, int n, struct eval_output *out,
	struct err *err);

/* Streams with log-probs, read one after the other. */
int eval_logps(const struct eval_options *o, char *const *paths, int n, struct eval_output *out,
	struct err *err);

/* ---- JSON: members of an object, with commas where they belong; the name is group and name together */

void eval_json_key(struct buf *out, const char *group, const char *name);
void eval_json_number(struct buf *out, const char *group, const char *name, double x);
void eval_json_string(struct buf *out, const char *name, const char *s); /* null for NULL */
void eval_json_interval(
	struct buf *out, const char *group, const char *name, struct stats_interval i);
void eval_json_open(struct buf *out, const char *name, char bracket); /* name NULL: an element */
void eval_json_close(struct buf *out, char bracket);

/* The first row of a table: heads up to NULL, of which "interval" gets the level in front. */
void eval_put_heads(struct table *t, double level, const char *const *heads);

/* ---- warnings */

struct eval_doubt {
	unsigned bit;
	const char *key, *text;
};

/* Both end at a zero entry of table. */
void eval_put_doubts(struct buf *out, const struct eval_doubt *table, unsigned doubts);
void eval_json_doubts(struct buf *out, const struct eval_doubt *table, unsigned doubts);

#endif
