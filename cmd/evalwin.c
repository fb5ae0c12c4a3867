/* evalwin: does a policy prefer what was preferred? From two log-prob columns, or one. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "eval/reward.h"
#include "io/file.h"
#include "io/json.h"
#include "io/prefreader.h"

static struct cmd_stream io = CMD_STREAM_INIT;
static const char *policy = "policy", *reference = "ref";
static double beta = 0.1, level = 0.95;
static int64_t resamples = 1000, seed;
static bool as_json;

static const struct cmd_option options[] = {
	{0, "policy", "NAME", CMD_STRING, &policy,
		.help = "column of the policy (default: policy)"},
	{0, "reference", "NAME", CMD_STRING, &reference,
		.help = "column of the reference, or none (default: ref)"},
	{0, "beta", "B", CMD_REAL, &beta, 1e-9, 1e9,
		.help = "reward a nat of log-ratio (default 0.1)"},
	{0, "bootstrap", "N", CMD_INT, &resamples, 0, 1000000,
		.help = "resamples for the margin's interval, 0: none (default 1000)"},
	{0, "seed", "N", CMD_INT, &seed, 0, 0x1p53, .help = "of the bootstrap (default 0)"},
	{0, "level", "P", CMD_REAL, &level, 0.5, 0.9999,
		.help = "confidence of the intervals (default 0.95)"},
	{0, "json", 0, CMD_FLAG, &as_json, .help = "one JSON object instead of the table"},
	CMD_INPUT_OPTIONS(io),
	{0},
};

static const struct cmd cmd = {"evalwin",
	"[-qv] [-@ N] [--beta B] [--bootstrap N] [--json] [--level P] [--max-block MIB] "
	"[--policy NAME] [--reference NAME] [--seed N] [FILE ...]\n",
	options};

static const struct doubt {
	enum reward_doubt bit;
	const char *key, *text;
} doubts[] = {
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
	const struct tsreader_options how = cmd_reader_options(&io);
	struct prefreader *in = prefreader_open(paths, npaths, &how, err);
	struct reward_completion *c = mem_new(PREF_MAX_COMPLETIONS, sizeof *c, err);
	const struct pref_schema *schema;
	struct columns at = {-1, -1};
	struct pref_rec rec;
	int rc = -1;

	if (!in || !c)
		goto out;
	schema = prefreader_schema(in);
	at.policy = pref_schema_need(schema, policy, err);
	if (at.policy < 0)
		goto out;
	if (r->options.reference) {
		at.reference = pref_schema_need(schema, reference, err);
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
	put_interval(out, stats_rate_wilson(r, level), 100, 2, " %");
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
	put_interval(out, stats_bootstrap_interval(&r->bootstrap, level), 1, 4, "");
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
	unsigned doubt = reward_doubts(r, level);

	buf_add_fmt(out, "policy '%s', ", policy);
	if (two)
		buf_add_fmt(out, "reference '%s', beta %g\n", reference, beta);
	else
		buf_add_str(out, "no reference\n");
	buf_add_fmt(out, "%" PRIu64 " records, %" PRIu64 " pairs", r->records, r->pairs);
	if (r->labelled)
		buf_add_fmt(out, ", %" PRIu64 " labelled completions", r->labelled);
	buf_add_fmt(out, "\n\n%-24s%12s%12s%12s%12s   %g %% interval\n", "", "wins", "ties",
		"losses", "win rate", 100 * level);
	put_tally(out, two ? "reward" : "log-prob", &r->sequence);
	put_tally(out, two ? "reward per token" : "log-prob per token", &r->token);
	buf_add_fmt(out, "\n%-24s%12s%12s%12s   %g %% interval\n", "", "chosen", "rejected",
		"margin", 100 * level);
	put_scores(out, score, r);
	if (two)
		put_ratios(out, r);
	put_sides(out, "tokens", mean_tokens(&r->chosen), mean_tokens(&r->rejected));
	buf_add_char(out, '\n');
	if (two)
		put_loss(out, r);
	for (const struct doubt *d = doubts; d->key; d++)
		if (doubt & d->bit)
			buf_add_fmt(
				out, "%swarning: %s\n", doubt & (d->bit - 1) ? "" : "\n", d->text);
}

/* ---- the same as JSON */

static void put_key(struct buf *out, const char *group, const char *name)
{
	if (out->len && out->data[out->len - 1] != '{')
		buf_add_char(out, ',');
	buf_add_fmt(out, "\"%s%s\":", group, name);
}

static void put_number(struct buf *out, const char *group, const char *name, double x)
{
	put_key(out, group, name);
	json_put_number(out, x);
}

static void put_pair(struct buf *out, const char *group, const char *name, struct stats_interval i)
{
	put_key(out, group, name);
	if (isnan(i.low)) {
		buf_add_str(out, "null");
		return;
	}
	buf_add_char(out, '[');
	json_put_number(out, i.low);
	buf_add_char(out, ',');
	json_put_number(out, i.high);
	buf_add_char(out, ']');
}

static void put_json_tally(struct buf *out, const char *name, const struct reward_tally *t)
{
	put_key(out, "by_", name);
	buf_add_char(out, '{');
	put_number(out, "", "wins", (double)t->wins);
	put_number(out, "", "ties", (double)t->ties);
	put_number(out, "", "losses", (double)t->losses);
	put_number(out, "", "rate", stats_rate_value(&t->decided));
	put_pair(out, "", "rate_interval", stats_rate_wilson(&t->decided, level));
	put_number(out, "", "rate_ties_half", stats_rate_value(&t->half));
	put_pair(out, "", "rate_ties_half_interval", stats_rate_wilson(&t->half, level));
	buf_add_char(out, '}');
}

/* group/chosen, group/rejected, and the same per token. */
static void put_json_means(struct buf *out, const char *group, const struct reward *r,
	const struct stats_sample *chosen, const struct stats_sample *rejected)
{
	put_number(out, group, "/chosen", stats_sample_mean(chosen));
	put_number(out, group, "/rejected", stats_sample_mean(rejected));
	put_number(out, group, "_per_token/chosen", reward_per_token(&r->chosen, chosen));
	put_number(out, group, "_per_token/rejected", reward_per_token(&r->rejected, rejected));
}

/* Means apart, since without a reference the score is the log-prob, whose means stand there anyway.
 */
static void put_json_spread(struct buf *out, const char *group, struct reward *r)
{
	put_number(out, group, "/chosen_sd", stats_sample_sd(&r->chosen.score));
	put_number(out, group, "/rejected_sd", stats_sample_sd(&r->rejected.score));
	put_number(out, group, "/accuracies",
		r->pairs ? (double)r->sequence.wins / (double)r->pairs : NAN);
	put_number(out, group, "/margins", stats_sample_mean(&r->margin));
	put_number(out, group, "/margins_sd", stats_sample_sd(&r->margin));
	put_pair(out, group, "/margins_interval", stats_bootstrap_interval(&r->bootstrap, level));
}

static void put_json(struct buf *out, struct reward *r)
{
	const bool two = r->options.reference;
	unsigned doubt = reward_doubts(r, level);

	buf_add_char(out, '{');
	put_number(out, "", "records", (double)r->records);
	put_number(out, "", "pairs", (double)r->pairs);
	put_number(out, "", "labelled", (double)r->labelled);
	put_key(out, "", "policy");
	json_quote(out, policy, strlen(policy));
	put_key(out, "", "reference");
	if (two)
		json_quote(out, reference, strlen(reference));
	else
		buf_add_str(out, "null");
	put_number(out, "", "beta", two ? beta : NAN);
	put_number(out, "", "level", level);
	put_number(out, "", "bootstrap", (double)resamples);
	put_number(out, "", "seed", (double)seed);
	put_number(out, "", "tokens/chosen", (double)r->chosen.tokens);
	put_number(out, "", "tokens/rejected", (double)r->rejected.tokens);
	put_json_tally(out, two ? "reward" : "logp", &r->sequence);
	put_json_tally(out, two ? "reward_per_token" : "logp_per_token", &r->token);
	put_json_means(out, "logps", r, &r->chosen.policy, &r->rejected.policy);
	put_json_spread(out, two ? "rewards" : "logps", r);
	if (two) {
		put_json_means(out, "rewards", r, &r->chosen.score, &r->rejected.score);
		put_json_means(out, "ref_logps", r, &r->chosen.reference, &r->rejected.reference);
		put_json_means(out, "log_ratio", r, &r->chosen.ratio, &r->rejected.ratio);
		put_number(out, "fell", "/chosen", share_fell(&r->chosen));
		put_number(out, "fell", "/rejected", share_fell(&r->rejected));
		put_number(out, "", "loss", stats_sample_mean(&r->loss));
	}
	put_key(out, "", "warnings");
	buf_add_char(out, '[');
	for (const struct doubt *d = doubts; d->key; d++)
		if (doubt & d->bit)
			buf_add_fmt(out, "%s\"%s\"", doubt & (d->bit - 1) ? "," : "", d->key);
	buf_add_str(out, "]}\n");
}

int main(int argc, char **argv)
{
	int first = cmd_parse(&cmd, argc, argv);
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;
	struct reward_options how;
	struct reward r;

	how = (struct reward_options){
		.reference = strcmp(reference, "none") != 0,
		.beta = beta,
		.resamples = (size_t)resamples,
		.seed = (uint64_t)seed,
	};
	if (!how.reference)
		cmd_refuse("without a reference", "beta", NULL);
	if (!resamples)
		cmd_refuse("without a bootstrap", "seed", NULL);
	if (!strcmp(policy, reference))
		cmd_usage("policy and reference are both '%s'", policy);
	if (reward_init(&r, &how, &err) || read_records(&r, argv + first, argc - first, &err))
		cmd_die(&err);
	if (as_json)
		put_json(&out, &r);
	else
		put_table(&out, &r);
	if (buf_check(&out, &err) || fd_write(STDOUT_FILENO, out.data, out.len, &err)) {
		err_at(&err, "stdout");
		cmd_die(&err);
	}
	buf_release(&out);
	reward_release(&r);
	return 0;
}
