/* evalwin of streams: does a policy prefer what was preferred? From two log-prob columns, or one. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/cmd_eval.h"
#include "eval/reward.h"
#include "io/json.h"
#include "io/prefreader.h"

static const struct eval_options *o;
static const char *policy;

static const struct eval_doubt doubts[] = {
	{REWARD_NO_PAIRS, "no-pairs", "there are no pairs: nothing can be said of win rates"},
	{REWARD_FEW_PAIRS, "few-pairs", "fewer than 30 records with pairs: too few to tell much"},
	{REWARD_ALL_TIES, "all-ties", "all pairs are ties: the scores tell nothing apart"},
	{REWARD_SAME_COLUMNS, "same-columns",
		"policy and reference are the same up to rounding: nothing was learnt, "
		"or one model was scored twice"},
	{REWARD_UNDECIDED, "undecided", "the win rate's interval holds one half: it may be chance"},
	{REWARD_EMPTY, "empty-completions",
		"some completions have no counted tokens: their scores, of 0, measure nothing"},
	{0},
};

/* ---- input */

struct columns {
	int policy, reference; /* reference: -1 without one */
};

static int find_column(const struct pref_schema *s, const char *name, struct err *err)
{
	struct buf list = BUF_INIT;
	int at = pref_schema_find(s, name);

	if (at >= 0)
		return at;
	for (int i = 0; i < s->nlogps; i++)
		buf_add_fmt(&list, "%slogp.%s", i ? ", " : "", s->logp[i]);
	if (buf_check(&list, err) == 0 && s->nlogps)
		err_set(err, ERR_MISMATCH, "no column 'logp.%s' in the stream, which has %s", name,
			list.data);
	else if (!err->code)
		err_set(err, ERR_MISMATCH,
			"no column 'logp.%s' in the stream, which has no log-probs: see "
			"ref-logp(1)",
			name);
	buf_release(&list);
	return -1;
}

static int add_labelled(struct reward *r, const struct reward_completion *c,
	const struct pref_rec *rec, struct err *err)
{
	if (!rec->label)
		return err_set(err, ERR_MISMATCH,
			"record %" PRIu64
			" has one completion and no label: there is nothing to compare it with",
			r->records);
	if (rec->label[0] != 0 && rec->label[0] != 1)
		return err_set(err, ERR_MISMATCH,
			"record %" PRIu64
			" has one completion labelled %g, which is neither 1 (good) nor 0 (bad)",
			r->records, (double)rec->label[0]);
	reward_add_labelled(r, c, rec->label[0] == 1);
	return 0;
}

static int add_record(struct reward *r, struct reward_completion *c, const struct columns *at,
	const struct pref_rec *rec, struct err *err)
{
	for (int i = 0; i < rec->k; i++)
		c[i] = (struct reward_completion){
			.policy = (double)rec->logp[at->policy][i],
			.reference = at->reference < 0 ? 0 : (double)rec->logp[at->reference][i],
			.tokens = (uint64_t)pref_counted(rec, i),
		};
	if (rec->k == 1)
		return add_labelled(r, c, rec, err);
	reward_add_ranking(r, c, rec->k);
	return 0;
}

static void say_ledger(const struct tstotals *t)
{
	cmd_say("read %" PRIu64 " records in %" PRIu64 " blocks; programs before dropped %" PRIu64
		" and truncated %" PRIu64,
		t->records, t->members, t->dropped, t->truncated);
}

static int read_records(struct reward *r, char *const *paths, int npaths, struct err *err)
{
	const struct tsreader_options how = cmd_reader_options(&o->io);
	struct prefreader *in = prefreader_open(paths, npaths, &how, err);
	struct reward_completion *c = mem_new(PREF_MAX_COMPLETIONS, sizeof *c, err);
	const struct pref_schema *schema;
	struct columns at = {-1, -1};
	struct pref_rec rec;
	int rc = -1;

	if (!in || !c)
		goto out;
	schema = prefreader_schema(in);
	at.policy = find_column(schema, policy, err);
	if (at.policy < 0)
		goto out;
	if (r->options.reference) {
		at.reference = find_column(schema, o->reference, err);
		if (at.reference < 0)
			goto out;
	}
	if (schema->text) {
		err_set(err, ERR_MISMATCH, "the stream holds text, whose tokens cannot be counted");
		goto out;
	}
	cmd_progress_start("records", 0);
	while ((rc = prefreader_next(in, &rec, err)) == 1) {
		if (add_record(r, c, &at, &rec, err)) {
			rc = -1;
			break;
		}
		cmd_progress(r->records, ", %" PRIu64 " of %" PRIu64 " pairs won", r->sequence.wins,
			r->pairs);
	}
	cmd_progress_end();
	if (rc == 0 && cmd_verbose)
		say_ledger(prefreader_totals(in));
out:
	free(c);
	prefreader_close(in);
	return rc;
}

/* ---- the table: a name and columns of numbers; "-" where there is none */

static void put_cell(struct buf *out, double x, int decimals, const char *unit)
{
	int width = 12 - (int)strlen(unit);

	if (isnan(x))
		buf_add_fmt(out, "%12s", "-");
	else
		buf_add_fmt(out, "%*.*f%s", width, decimals, x, unit);
}

static void put_interval(
	struct buf *out, struct stats_interval i, double factor, int decimals, const char *unit)
{
	if (isnan(i.low))
		buf_add_fmt(out, "%4s", "-");
	else
		buf_add_fmt(out, "   %.*f to %.*f%s", decimals, factor * i.low, decimals,
			factor * i.high, unit);
}

static void put_rate(struct buf *out, const struct stats_rate *r)
{
	put_cell(out, 100 * stats_rate_value(r), 2, " %");
	put_interval(out, stats_rate_wilson(r, o->level), 100, 2, " %");
	buf_add_char(out, '\n');
}

static void put_tally(struct buf *out, const char *name, const struct reward_tally *t)
{
	buf_add_fmt(out, "%-24s%12" PRIu64 "%12" PRIu64 "%12" PRIu64, name, t->wins, t->ties,
		t->losses);
	put_rate(out, &t->decided);
	buf_add_fmt(out, "%-60s", "  ties as half a win");
	put_rate(out, &t->half);
}

static void put_sides(struct buf *out, const char *name, double chosen, double rejected)
{
	buf_add_fmt(out, "%-24s", name);
	put_cell(out, chosen, 4, "");
	put_cell(out, rejected, 4, "");
}

static void put_means(struct buf *out, const char *name, const struct reward *r,
	const struct stats_sample *chosen, const struct stats_sample *rejected)
{
	put_sides(out, name, stats_sample_mean(chosen), stats_sample_mean(rejected));
	buf_add_char(out, '\n');
	put_sides(out, "  per token", reward_per_token(&r->chosen, chosen),
		reward_per_token(&r->rejected, rejected));
	buf_add_char(out, '\n');
}

static double mean_tokens(const struct reward_side *s)
{
	return s->policy.n ? (double)s->tokens / (double)s->policy.n : NAN;
}

static void put_scores(struct buf *out, const char *name, struct reward *r)
{
	const struct stats_sample *chosen = &r->chosen.score, *rejected = &r->rejected.score;

	put_sides(out, name, stats_sample_mean(chosen), stats_sample_mean(rejected));
	put_cell(out, stats_sample_mean(&r->margin), 4, "");
	put_interval(out, stats_bootstrap_interval(&r->bootstrap, o->level), 1, 4, "");
	buf_add_char(out, '\n');
	put_sides(out, "  standard deviation", stats_sample_sd(chosen), stats_sample_sd(rejected));
	put_cell(out, stats_sample_sd(&r->margin), 4, "");
	buf_add_char(out, '\n');
	put_sides(out, "  per token", reward_per_token(&r->chosen, chosen),
		reward_per_token(&r->rejected, rejected));
	buf_add_char(out, '\n');
}

static double share_fell(const struct reward_side *s)
{
	return s->ratio.n ? (double)s->fell / (double)s->ratio.n : NAN;
}

static void put_ratios(struct buf *out, const struct reward *r)
{
	put_means(out, "log-prob, policy", r, &r->chosen.policy, &r->rejected.policy);
	put_means(out, "log-prob, reference", r, &r->chosen.reference, &r->rejected.reference);
	put_means(out, "log-ratio", r, &r->chosen.ratio, &r->rejected.ratio);
	buf_add_fmt(out, "%-24s", "  fell");
	put_cell(out, 100 * share_fell(&r->chosen), 2, " %");
	put_cell(out, 100 * share_fell(&r->rejected), 2, " %");
	buf_add_char(out, '\n');
}

static void put_loss(struct buf *out, const struct reward *r)
{
	buf_add_fmt(out, "%-48s", "DPO loss (ln 2 = 0.6931 untrained)");
	put_cell(out, stats_sample_mean(&r->loss), 4, "");
	buf_add_str(out,
		"\n\nreward = beta * log-ratio; log-ratio = log-prob under the policy - under the "
		"reference, in nats,\non the data's own completions: an estimate of KL(policy, "
		"reference) only where the policy wrote them\n");
}

static void put_table(struct buf *out, struct reward *r)
{
	const bool two = r->options.reference;
	const char *score = two ? "reward" : "log-prob (nats)";
	unsigned doubt = reward_doubts(r, o->level);

	buf_add_fmt(out, "policy '%s', ", policy);
	if (two)
		buf_add_fmt(out, "reference '%s', beta %g\n", o->reference, o->beta);
	else
		buf_add_str(out, "no reference\n");
	buf_add_fmt(out, "%" PRIu64 " records, %" PRIu64 " pairs", r->records, r->pairs);
	if (r->labelled)
		buf_add_fmt(out, ", %" PRIu64 " labelled completions", r->labelled);
	buf_add_fmt(out, "\n\n%-24s%12s%12s%12s%12s   %g %% interval\n", "", "wins", "ties",
		"losses", "win rate", 100 * o->level);
	put_tally(out, two ? "reward" : "log-prob", &r->sequence);
	put_tally(out, two ? "reward per token" : "log-prob per token", &r->token);
	buf_add_fmt(out, "\n%-24s%12s%12s%12s   %g %% interval\n", "", "chosen", "rejected",
		"margin", 100 * o->level);
	put_scores(out, score, r);
	if (two)
		put_ratios(out, r);
	put_sides(out, "tokens", mean_tokens(&r->chosen), mean_tokens(&r->rejected));
	buf_add_char(out, '\n');
	if (two)
		put_loss(out, r);
	eval_put_doubts(out, doubts, doubt);
}

/* ---- the same as JSON */

static void put_json_tally(struct buf *out, const char *name, const struct reward_tally *t)
{
	eval_json_key(out, "by_", name);
	buf_add_char(out, '{');
	eval_json_number(out, "", "wins", (double)t->wins);
	eval_json_number(out, "", "ties", (double)t->ties);
	eval_json_number(out, "", "losses", (double)t->losses);
	eval_json_number(out, "", "rate", stats_rate_value(&t->decided));
	eval_json_interval(out, "", "rate_interval", stats_rate_wilson(&t->decided, o->level));
	eval_json_number(out, "", "rate_ties_half", stats_rate_value(&t->half));
	eval_json_interval(out, "", "rate_ties_half_interval", stats_rate_wilson(&t->half, o->level));
	buf_add_char(out, '}');
}

/* group/chosen, group/rejected, and the same per token. */
static void put_json_means(struct buf *out, const char *group, const struct reward *r,
	const struct stats_sample *chosen, const struct stats_sample *rejected)
{
	eval_json_number(out, group, "/chosen", stats_sample_mean(chosen));
	eval_json_number(out, group, "/rejected", stats_sample_mean(rejected));
	eval_json_number(out, group, "_per_token/chosen", reward_per_token(&r->chosen, chosen));
	eval_json_number(out, group, "_per_token/rejected", reward_per_token(&r->rejected, rejected));
}

/* Means apart, since without a reference the score is the log-prob, whose means stand there anyway.
 */
static void put_json_spread(struct buf *out, const char *group, struct reward *r)
{
	eval_json_number(out, group, "/chosen_sd", stats_sample_sd(&r->chosen.score));
	eval_json_number(out, group, "/rejected_sd", stats_sample_sd(&r->rejected.score));
	eval_json_number(out, group, "/accuracies",
		r->pairs ? (double)r->sequence.wins / (double)r->pairs : NAN);
	eval_json_number(out, group, "/margins", stats_sample_mean(&r->margin));
	eval_json_number(out, group, "/margins_sd", stats_sample_sd(&r->margin));
	eval_json_interval(out, group, "/margins_interval", stats_bootstrap_interval(&r->bootstrap, o->level));
}

static void put_json(struct buf *out, struct reward *r)
{
	const bool two = r->options.reference;
	unsigned doubt = reward_doubts(r, o->level);

	buf_add_char(out, '{');
	eval_json_number(out, "", "records", (double)r->records);
	eval_json_number(out, "", "pairs", (double)r->pairs);
	eval_json_number(out, "", "labelled", (double)r->labelled);
	eval_json_key(out, "", "policy");
	json_quote(out, policy, strlen(policy));
	eval_json_key(out, "", "reference");
	if (two)
		json_quote(out, o->reference, strlen(o->reference));
	else
		buf_add_str(out, "null");
	eval_json_number(out, "", "beta", two ? o->beta : NAN);
	eval_json_number(out, "", "level", o->level);
	eval_json_number(out, "", "bootstrap", (double)o->resamples);
	eval_json_number(out, "", "seed", (double)o->seed);
	eval_json_number(out, "", "tokens/chosen", (double)r->chosen.tokens);
	eval_json_number(out, "", "tokens/rejected", (double)r->rejected.tokens);
	put_json_tally(out, two ? "reward" : "logp", &r->sequence);
	put_json_tally(out, two ? "reward_per_token" : "logp_per_token", &r->token);
	put_json_means(out, "logps", r, &r->chosen.policy, &r->rejected.policy);
	put_json_spread(out, two ? "rewards" : "logps", r);
	if (two) {
		put_json_means(out, "rewards", r, &r->chosen.score, &r->rejected.score);
		put_json_means(out, "ref_logps", r, &r->chosen.reference, &r->rejected.reference);
		put_json_means(out, "log_ratio", r, &r->chosen.ratio, &r->rejected.ratio);
		eval_json_number(out, "fell", "/chosen", share_fell(&r->chosen));
		eval_json_number(out, "fell", "/rejected", share_fell(&r->rejected));
		eval_json_number(out, "", "loss", stats_sample_mean(&r->loss));
	}
	eval_json_doubts(out, doubts, doubt);
	buf_add_str(out, "}\n");
}

int eval_logps(const struct eval_options *options, char *const *paths, int n, struct eval_output *out, struct err *err)
{
	const struct reward_options how = {
		.reference = strcmp(options->reference, "none") != 0,
		.beta = options->beta,
		.resamples = (size_t)options->resamples,
		.seed = (uint64_t)options->seed,
	};
	struct reward r;
	int rc;

	o = options;
	policy = o->policies.n ? o->policies.v[0] : "policy";
	if (!how.reference)
		cmd_refuse("without a reference", "beta", NULL);
	if (!strcmp(policy, o->reference))
		cmd_usage("policy and reference are both '%s'", policy);
	rc = reward_init(&r, &how, err) || read_records(&r, paths, n, err);
	if (rc == 0) {
		put_table(&out->text, &r);
		put_json(&out->json, &r);
	}
	reward_release(&r);
	return rc ? -1 : 0;
}
