/* evalwin of streams: do policies prefer what was preferred? From their log-probs and a reference's. */
#include "cmd/cmd_evallogp.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/json.h"
#include "io/prefreader.h"

#define MAX_GROUPS 1000
#define NO_GROUP "-"	 /* of records without the field */
#define SAMPLES "sample" /* lm-sample's column, of what it wrote */

const struct eval_doubt logp_doubts[] = {
	{REWARD_NO_PAIRS, "no-pairs", "there are no pairs: nothing can be said of win rates"},
	{REWARD_FEW_PAIRS, "few-pairs", "fewer than 30 records with pairs: too few to tell much"},
	{REWARD_ALL_TIES, "all-ties", "all pairs are ties: the scores tell nothing apart"},
	{REWARD_SAME_COLUMNS, "same-columns",
		"policy and reference are the same up to rounding: nothing was learnt, "
		"or one model was scored twice"},
	{REWARD_UNDECIDED, "undecided", "the win rate's interval holds one half: it may be chance"},
	{REWARD_EMPTY, "empty-completions",
		"some completions have no counted tokens: their scores, of 0, measure nothing"},
	{LOGP_RANKINGS, "rankings",
		"pairs of one ranking are not independent: McNemar's p is too small"},
	{LOGP_ALL_WON, "all-won", "all pairs are won: no beta is the best one"},
	{LOGP_SAME_POLICIES, "same-policies",
		"two policies have the same margins: one model was scored twice"},
	{LOGP_SAMPLES, "samples",
		"samples, unless they were ranked, are in no order: pairs and win rates of them "
		"mean nothing"},
	{LOGP_FEW_IN_GROUP, "few-in-group",
		"a group has fewer than 30 records with pairs: too few to tell much"},
	{0},
};

unsigned logp_find_doubts(const struct logp_eval *e, const struct logp_model *m)
{
	const struct reward *r = &m->reward;
	unsigned doubts = reward_doubts(r, e->o->level);

	if (e->policies > 1 && r->pairs > reward_paired(r))
		doubts |= LOGP_RANKINGS;
	if (r->pairs && !strcmp(m->policy, SAMPLES))
		doubts |= LOGP_SAMPLES;
	if (e->reference && r->pairs && r->sequence.wins == r->pairs)
		doubts |= LOGP_ALL_WON;
	if (m->paired.margins.n && m->paired.margins.mean == 0 && m->paired.margins.m2 == 0)
		doubts |= LOGP_SAME_POLICIES;
	for (size_t g = 0; g < m->ngroups; g++)
		if (reward_doubts(&m->groups[g], e->o->level) & REWARD_FEW_PAIRS)
			doubts |= LOGP_FEW_IN_GROUP;
	return doubts;
}

double logp_share_fell(const struct reward_side *s)
{
	return s->ratio.n ? (double)s->fell / (double)s->ratio.n : NAN;
}

bool logp_has_singles(const struct logp_eval *e)
{
	for (size_t i = 0; i < e->n; i++)
		if (e->all[i].reward.single.policy.n)
			return true;
	return false;
}

bool logp_has_sides(const struct logp_eval *e)
{
	for (size_t i = 0; i < e->n; i++)
		if (e->all[i].reward.chosen.policy.n || e->all[i].reward.rejected.policy.n)
			return true;
	return !logp_has_singles(e);
}

/* ---- input */

static int add_alone(struct reward *r, const struct reward_completion *c,
	const struct pref_rec *rec, struct err *err)
{
	if (!rec->label) {
		reward_add_single(r, c);
		return 0;
	}
	if (rec->label[0] != 0 && rec->label[0] != 1)
		return err_set(err, ERR_MISMATCH,
			"record %" PRIu64
			" has one completion labelled %g, which is neither 1 (good) nor 0 (bad)",
			r->records, (double)rec->label[0]);
	reward_add_labelled(r, c, rec->label[0] == 1);
	return 0;
}

/* The group of records with that value, a new one where it is new; -1. */
static int find_group(struct logp_eval *e, const struct json *v, struct err *err)
{
	struct buf text = BUF_INIT;
	int group = -1;
	size_t n;

	if (json_string(v, &n))
		buf_add(&text, json_string(v, &n), n);
	else if (v)
		json_write(&text, v);
	else
		buf_add_str(&text, NO_GROUP);
	if (buf_check(&text, err) == 0)
		group = names_add(&e->groups, text.data, text.len, err);
	if (group >= MAX_GROUPS)
		group = err_set(
			err, ERR_LIMIT, "field '%s' has more than %d values", e->o->by, MAX_GROUPS);
	buf_release(&text);
	return group;
}

/* Numbers of a record's completions: an array of them, or one for the only completion. */
static int take_scores(const struct logp_eval *e, const struct json *v, const struct pref_rec *rec,
	uint64_t record, double *scores, struct err *err)
{
	bool list = json_kind(v) == JSON_ARRAY;
	const struct json *x = list ? json_first(v) : v;
	int n = 0;

	for (; n < rec->k && json_number(x, &scores[n]) && isfinite(scores[n]);
		x = list ? json_next(x) : NULL)
		n++;
	if (n == rec->k && !x)
		return 0;
	return err_set(err, ERR_MISMATCH,
		"record %" PRIu64 " has not one number for each of its %d completions in '%s'",
		record, rec->k, e->o->score);
}

static struct reward_options reward_options(const struct logp_eval *e)
{
	return (struct reward_options){
		.reference = e->reference,
		.beta = e->o->beta,
		.resamples = (size_t)e->o->resamples,
		.seed = (uint64_t)e->o->seed,
	};
}

/* The model's part of that group, made where it is new; NULL. */
static struct reward *take_group(
	struct logp_eval *e, struct logp_model *m, int group, struct err *err)
{
	const struct reward_options how = reward_options(e);

	if (mem_grow(&m->groups, &m->cap, (size_t)e->groups.n, sizeof *m->groups, err))
		return NULL;
	for (; m->ngroups < (size_t)e->groups.n; m->ngroups++)
		if (reward_init(&m->groups[m->ngroups], &how, err))
			return NULL;
	return &m->groups[group];
}

/* ---- records */

/* What a policy, and the first one of its stream, think of a record; and what its fields say. */
struct completions {
	struct reward_completion *of, *first; /* [PREF_MAX_COMPLETIONS] each */
	double *scores;			      /* likewise; NULL: none */
	int group;			      /* -1: none */
};

static void fill(struct reward_completion *c, int policy, int reference, const struct pref_rec *rec)
{
	for (int i = 0; i < rec->k; i++)
		c[i] = (struct reward_completion){
			.policy = (double)rec->logp[policy][i],
			.reference = reference < 0 ? 0 : (double)rec->logp[reference][i],
			.tokens = (uint64_t)pref_counted(rec, i),
		};
}

static int add_pairs(struct logp_eval *e, struct logp_model *m, const struct completions *c, int k,
	struct err *err)
{
	for (int i = 0; i < k; i++)
		for (int j = i + 1; j < k; j++) {
			const struct reward_completion *x = &c->of[i], *y = &c->of[j];
			const struct margins_pair pair = {
				.margin = reward_margin(&m->reward, x, y),
				.chosen = e->reference ? x->policy - x->reference : 0,
				.rejected = e->reference ? y->policy - y->reference : 0,
				.chosen_tokens = x->tokens,
				.rejected_tokens = y->tokens,
			};

			if (margins_add(&m->margins, &pair, err))
				return -1;
			if (c->of != c->first)
				paired_add(&m->paired,
					reward_margin(&m->reward, &c->first[i], &c->first[j]),
					pair.margin);
		}
	margins_close_record(&m->margins);
	if (c->of != c->first)
		paired_close_record(&m->paired);
	return 0;
}

static int add_model(struct logp_eval *e, struct logp_model *m, const struct completions *c,
	const struct pref_rec *rec, struct err *err)
{
	struct reward *part = c->group < 0 ? NULL : take_group(e, m, c->group, err);

	if (c->group >= 0 && !part)
		return -1;
	if (c->scores)
		reward_add_given(&m->reward, c->scores, rec->k);
	if (c->scores && part)
		reward_add_given(part, c->scores, rec->k);
	if (rec->k == 1)
		return add_alone(&m->reward, c->of, rec, err) ||
				       (part && add_alone(part, c->of, rec, err))
			       ? -1
			       : 0;
	reward_add_ranking(&m->reward, c->of, rec->k);
	if (part)
		reward_add_ranking(part, c->of, rec->k);
	return add_pairs(e, m, c, rec->k, err);
}

/* Those of the record's fields that were asked for. */
static int read_fields(struct logp_eval *e, struct completions *c, const struct pref_rec *rec,
	uint64_t record, struct err *err)
{
	struct json *meta;
	int rc = 0;

	if (!e->o->by && !e->o->score)
		return 0;
	meta = rec->meta_len ? json_parse(rec->meta, rec->meta_len, err) : NULL;
	if (rec->meta_len && !meta)
		return -1;
	if (e->o->by) {
		c->group = find_group(e, json_get(meta, e->o->by), err);
		rc = c->group < 0 ? -1 : 0;
	}
	if (rc == 0 && e->o->score)
		rc = take_scores(e, json_get(meta, e->o->score), rec, record, c->scores, err);
	json_free(meta);
	return rc;
}

/* A record to all models of a stream. */
static int add_record(struct logp_eval *e, struct logp_model *models, int reference,
	struct completions *c, const struct pref_rec *rec, struct err *err)
{
	struct completions mine = *c;

	if (read_fields(e, &mine, rec, models[0].reward.records, err))
		return -1;
	fill(c->first, models[0].column, reference, rec);
	for (size_t i = 0; i < e->policies; i++) {
		mine.of = i ? c->of : c->first;
		if (i)
			fill(c->of, models[i].column, reference, rec);
		if (add_model(e, &models[i], &mine, rec, err))
			return -1;
	}
	return 0;
}

static void say_ledger(const struct tstotals *t)
{
	cmd_say("read %" PRIu64 " records in %" PRIu64 " blocks; programs before dropped %" PRIu64
		" and truncated %" PRIu64,
		t->records, t->members, t->dropped, t->truncated);
}

static int find_columns(struct logp_eval *e, struct logp_model *models,
	const struct pref_schema *schema, int *reference, struct err *err)
{
	*reference = -1;
	for (size_t i = 0; i < e->policies; i++) {
		models[i].column = pref_schema_need(schema, models[i].policy, err);
		if (models[i].column < 0)
			return -1;
	}
	if (e->reference) {
		*reference = pref_schema_need(schema, e->o->reference, err);
		if (*reference < 0)
			return -1;
	}
	if (schema->text)
		return err_set(
			err, ERR_MISMATCH, "the stream holds text, whose tokens cannot be counted");
	if ((e->o->by || e->o->score) && !schema->meta)
		return err_set(err, ERR_MISMATCH,
			"the stream has no 'meta': records have no field '%s'",
			e->o->by ? e->o->by : e->o->score);
	return 0;
}

static int read_stream(
	struct logp_eval *e, struct logp_model *models, char *const *paths, int n, struct err *err)
{
	const struct tsreader_options how = cmd_reader_options(&e->o->io);
	struct prefreader *in = prefreader_open(paths, n, &how, err);
	struct completions c = {mem_new(PREF_MAX_COMPLETIONS, sizeof *c.of, err),
		mem_new(PREF_MAX_COMPLETIONS, sizeof *c.first, err),
		e->o->score ? mem_new(PREF_MAX_COMPLETIONS, sizeof *c.scores, err) : NULL, -1};
	struct pref_rec rec;
	int reference, rc = -1;

	if (!in || !c.of || !c.first || (e->o->score && !c.scores) ||
		find_columns(e, models, prefreader_schema(in), &reference, err))
		goto out;
	cmd_progress_start("records", 0);
	while ((rc = prefreader_next(in, &rec, err)) == 1) {
		if (add_record(e, models, reference, &c, &rec, err)) {
			rc = -1;
			break;
		}
		cmd_progress(models[0].reward.records, ", %" PRIu64 " of %" PRIu64 " pairs won",
			models[0].reward.sequence.wins, models[0].reward.pairs);
	}
	cmd_progress_end();
	if (rc == 0 && cmd_verbose)
		say_ledger(prefreader_totals(in));
out:
	free(c.of);
	free(c.first);
	free(c.scores);
	prefreader_close(in);
	return rc;
}

/* ---- models */

/* Those of one stream; file: NULL where it is the only one. */
static int add_models(struct logp_eval *e, const char *file, struct err *err)
{
	static const char *const usual = "policy";
	const struct reward_options how = reward_options(e);

	for (size_t i = 0; i < e->policies; i++) {
		struct logp_model *m = &e->all[e->n++];

		m->policy = e->o->policies.n ? e->o->policies.v[i] : usual;
		m->file = file;
		margins_init(&m->margins);
		if (reward_init(&m->reward, &how, err) ||
			paired_init(&m->paired, i ? how.resamples : 0, how.seed, err))
			return -1;
	}
	return 0;
}

static void release(struct logp_eval *e)
{
	for (size_t i = 0; i < e->n; i++) {
		struct logp_model *m = &e->all[i];

		for (size_t g = 0; g < m->ngroups; g++)
			reward_release(&m->groups[g]);
		free(m->groups);
		reward_release(&m->reward);
		margins_release(&m->margins);
		paired_release(&m->paired);
	}
	free(e->all);
	names_release(&e->groups);
}

static void check_options(const struct eval_options *o, const struct logp_eval *e)
{
	const char *const usual = "policy";

	if (!e->reference)
		cmd_refuse("without a reference", "beta", NULL);
	for (size_t i = 0; i < e->policies; i++) {
		const char *policy = o->policies.n ? o->policies.v[i] : usual;

		if (!strcmp(policy, o->reference))
			cmd_usage("policy and reference are both '%s'", policy);
		for (size_t j = 0; j < i; j++)
			if (!strcmp(policy, o->policies.v[j]))
				cmd_usage("--policy: '%s' is there twice", policy);
	}
}

int eval_logps(const struct eval_options *o, char *const *paths, int n, struct eval_output *out,
	struct err *err)
{
	struct logp_eval e = {.o = o,
		.reference = strcmp(o->reference, "none") != 0,
		.policies = o->policies.n ? o->policies.n : 1};
	int streams = o->each ? n : 1, rc;

	check_options(o, &e);
	e.all = mem_new((size_t)streams, e.policies * sizeof *e.all, err);
	rc = e.all ? 0 : -1;
	for (int i = 0; rc == 0 && i < streams; i++) {
		rc = add_models(&e, o->each ? paths[i] : NULL, err);
		if (rc == 0)
			rc = read_stream(&e, &e.all[(size_t)i * e.policies], paths + i,
				o->each ? 1 : n, err);
	}
	if (rc == 0 && e.groups.n == 1 && !strcmp(names_get(&e.groups, 0), NO_GROUP))
		rc = err_set(err, ERR_MISMATCH, "no record has a field '%s'", o->by);
	for (size_t i = 0; rc == 0 && i < (size_t)streams * e.policies; i++)
		out->resampled |= e.all[i].reward.pairs > 0;
	if (rc == 0) {
		logp_put_text(&out->text, &e);
		logp_put_json(&out->json, &e);
		rc = logp_draw(&e, out, err);
	}
	release(&e);
	return rc ? -1 : 0;
}
