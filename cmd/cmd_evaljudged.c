/* evalwin of verdicts: win rates, ratings, and how far the judges can be trusted. */
#include "cmd/cmd_evaljudged.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/cmd_verdicts.h"

#define ENOUGH 30
#define MAX_MODELS 2000
#define MAX_GROUPS 1000
#define MAX_JUDGES 20

enum {
	NO_VERDICTS = 1,
	FEW_ITEMS = 2,
	ALL_TIES = 4,
	UNDECIDED = 8,
	NOT_DETERMINED = 16,
	ONE_MODEL = 32,
	FIRST_WINS = 64,
	FEW_IN_GROUP = 128,
	UNJUDGED = 256,
	LENGTH_PULLED = 512,
};

const struct eval_doubt judged_doubts[] = {
	{NO_VERDICTS, "no-verdicts", "there are no verdicts: nothing can be said of win rates"},
	{FEW_ITEMS, "few-items", "fewer than 30 items behind a rate: too few to tell much"},
	{ALL_TIES, "all-ties", "all verdicts are draws: the judge tells nothing apart"},
	{UNDECIDED, "undecided",
		"a win rate's interval, marked ?, holds one half: it may be chance"},
	{NOT_DETERMINED, "not-determined",
		"some model won or lost all its battles: its rating has no limit, and the number "
		"means nothing"},
	{ONE_MODEL, "no-difficulties",
		"one model and no --difficulty: the length-controlled rate is by length alone, and "
		"rough"},
	{LENGTH_PULLED, "length-pulled",
		"a length-controlled rate, marked !, lies outside its own interval: imagined "
		"opponents make it, more than verdicts do"},
	{FIRST_WINS, "position-bias",
		"the judge prefers one place: its interval does not hold one half"},
	{UNJUDGED, "unjudged", "some have no verdict: all rates are of the others"},
	{FEW_IN_GROUP, "few-in-group", "a group has fewer than 30 items: too few to tell much"},
	{0},
};

const char *judged_name(const struct judged *j, int model)
{
	return names_get(&j->v->models, model);
}

int judged_judges(const struct judged *j)
{
	return j->v->judges.n <= MAX_JUDGES ? j->v->judges.n : 0;
}

bool judged_undecided(const struct contest *c)
{
	return c->interval.low <= 0.5 && c->interval.high >= 0.5;
}

bool judged_pulled(const struct contest *c)
{
	const struct length_rate *l = &c->controlled;

	return l->percent < l->interval.low || l->percent > l->interval.high;
}

/* ---- the figures */

static int best_first(const void *a, const void *b)
{
	const struct contest *x = a, *y = b;
	double p = stats_sample_mean(&x->rate.value), q = stats_sample_mean(&y->rate.value);

	if (x->model == y->model || p == q)
		return x->model != y->model ? x->model - y->model : x->group - y->group;
	return p < q ? 1 : -1;
}

static int add_contest(
	struct judged *j, struct contest *to, size_t *n, int model, int group, struct err *err)
{
	const struct winrate_choice choice = {model, j->base, group};
	struct contest *c = &to[*n];

	*c = (struct contest){.model = model,
		.group = group,
		.controlled = {.percent = NAN, .interval = {NAN, NAN}}};
	winrate_count(&c->rate, j->v, &choice);
	c->interval = stats_rate_wilson(&c->rate.items, j->o->level);
	if (group < 0 && j->base >= 0 &&
		length_control_rate(&j->lengths, model, j->o->level, &c->controlled, err))
		return -1;
	*n += c->rate.n_total > 0;
	return 0;
}

static int compare_models(struct judged *j, struct err *err)
{
	size_t models = (size_t)j->v->models.n, groups = (size_t)j->v->groups.n;

	j->all = mem_new(models, sizeof *j->all, err);
	j->groups = mem_new(models, groups * sizeof *j->groups, err);
	if (!j->all || !j->groups)
		return -1;
	for (int m = 0; m < j->v->models.n; m++) {
		if (m == j->base)
			continue;
		if (add_contest(j, j->all, &j->n, m, -1, err))
			return -1;
		for (int g = 0; g < j->v->groups.n; g++)
			if (add_contest(j, j->groups, &j->ngroups, m, g, err))
				return -1;
	}
	qsort(j->all, j->n, sizeof *j->all, best_first);
	return 0;
}

static void find_doubts(struct judged *j)
{
	const struct position *p = &j->position;
	struct stats_interval first = stats_rate_wilson(&p->first, j->o->level);
	bool ties = j->n > 0;

	j->doubts = j->v->n ? 0 : NO_VERDICTS;
	for (size_t i = 0; i < j->n; i++) {
		const struct contest *c = &j->all[i];

		j->doubts |= c->rate.items.clusters < ENOUGH ? FEW_ITEMS : 0;
		j->doubts |= judged_undecided(c) ? UNDECIDED : 0;
		j->doubts |= judged_pulled(c) ? LENGTH_PULLED : 0;
		j->doubts |=
			!isnan(c->controlled.percent) && !j->lengths.difficulty ? ONE_MODEL : 0;
		ties = ties && c->rate.n_draws == c->rate.n_total;
	}
	for (size_t i = 0; i < j->ngroups; i++)
		j->doubts |= j->groups[i].rate.items.clusters < ENOUGH ? FEW_IN_GROUP : 0;
	j->doubts |= ties ? ALL_TIES : 0;
	j->doubts |= j->v->unjudged ? UNJUDGED : 0;
	j->doubts |= j->ratings.n && !j->ratings.determined ? NOT_DETERMINED : 0;
	/* A judge's place is told from its models' only where both orders were judged. */
	j->doubts |= p->orders.n && (first.low > 0.5 || first.high < 0.5) ? FIRST_WINS : 0;
}

static int find_base(struct judged *j, struct err *err)
{
	const char *name = j->o->baseline;

	j->base = name ? names_find(&j->v->models, name, strlen(name)) : verdicts_common_base(j->v);
	if (name && j->base < 0)
		return err_set(err, ERR_MISMATCH, "no verdict is on the model '%s'", name);
	return 0;
}

static int evaluate(struct judged *j, struct err *err)
{
	double *difficulty = NULL;
	int rc = -1;

	if (j->v->models.n > MAX_MODELS)
		return err_set(err, ERR_LIMIT, "verdicts on more than %d models", MAX_MODELS);
	if (j->v->groups.n > MAX_GROUPS)
		return err_set(
			err, ERR_LIMIT, "field '%s' has more than %d values", j->o->by, MAX_GROUPS);
	if (j->o->by && j->v->n && !j->v->groups.n)
		return err_set(err, ERR_MISMATCH, "no verdict has a field '%s'", j->o->by);
	if (find_base(j, err))
		return -1;
	verdicts_sort(j->v);
	if (j->o->difficulty) {
		difficulty = cmd_difficulties_read(j->v, j->o->difficulty, err);
		if (!difficulty)
			return -1;
	}
	if (j->base >= 0 && length_control_init(&j->lengths, j->v, j->base, difficulty, err))
		goto out;
	if (j->o->save_difficulty) {
		if (!j->lengths.difficulty) {
			err_set(err, ERR_FAILED,
				"difficulties cannot be estimated: there are no two models with "
				"lengths and a common base");
			goto out;
		}
		if (cmd_difficulties_write(j->v, j->lengths.difficulty, j->o->save_difficulty, err))
			goto out;
	}
	if (compare_models(j, err) ||
		(j->v->models.n > 2 &&
			ratings_init(&j->ratings, j->v, j->base, (size_t)j->o->resamples,
				(uint64_t)j->o->seed, j->o->level, err)))
		goto out;
	verdicts_position(j->v, &j->position);
	find_doubts(j);
	rc = 0;
out:
	free(difficulty);
	return rc;
}

/* ---- what is asked for */

int eval_verdicts(
	const struct eval_options *o, struct verdicts *v, struct eval_output *out, struct err *err)
{
	struct judged j = {.o = o, .v = v, .base = -1};
	int rc = evaluate(&j, err);

	out->resampled = j.ratings.n > 0;
	if (rc == 0) {
		judged_put_text(&out->text, &j);
		judged_put_json(&out->json, &j);
		rc = judged_draw(&j, out, err);
	}
	free(j.all);
	free(j.groups);
	length_control_release(&j.lengths);
	ratings_release(&j.ratings);
	return rc;
}

int eval_judged(const struct eval_options *o, char *const *paths, int n, struct eval_output *out,
	struct err *err)
{
	struct verdicts v = {.n = 0};
	int rc = 0;

	cmd_progress_start("verdicts", 0);
	for (int i = 0; rc == 0 && i < (n ? n : 1); i++)
		rc = cmd_verdicts_read(&v, n ? paths[i] : "-", o->by, err);
	cmd_progress_end();
	rc = rc || eval_verdicts(o, &v, out, err) ? -1 : 0;
	verdicts_release(&v);
	return rc;
}
