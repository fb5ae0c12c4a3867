/* The loop of a run: steps, what is told of them, and when it ends. */
#include "cmd/cmd_run.h"

#include <math.h>
#include <stdlib.h>

#include "cmd/cmd_model.h"
#include "cmd/cmd_stop.h"

#define FADING 0.95 /* what a step leaves of earlier ones' displacement */

static bool needs_ref_tokens(const struct run *r)
{
	return loss_needs_ref_tokens(&r->o->loss) || r->o->log_tokens;
}

/* By the reference that follows, once it has moved. */
static int refer(struct run *r, struct err *err)
{
	if (!r->follower || !follower_moved(r->follower))
		return 0;
	return follower_refer(r->follower, r->batch.examples, (int64_t)r->batch.n, &r->batch.arena, err);
}

/* Writes the batch's records with the log-probs that the step saw. */
static int emit(struct run *r, struct err *err)
{
	const struct logp_row *rows = trainer_rows(r->trainer);

	if (r->o->emit && !r->emit && checkpoint_open_emitted(r, err))
		return -1;
	for (size_t i = 0; r->emit && i < r->batch.n; i++) {
		struct pref_rec *rec = &r->batch.recs[i];
		int64_t counted = pref_tlogp_start(rec, rec->k);
		float *tlogp = arena_new(&r->batch.arena, (size_t)counted + 1, sizeof *tlogp, err);
		float *logp = arena_new(&r->batch.arena, (size_t)rec->k, sizeof *logp, err);
		struct pref_rec out;

		if (!tlogp || !logp)
			return -1;
		rows += cmd_record_logps(rec, rows, tlogp, logp);
		out = cmd_with_column(rec, r->emit_place, logp, tlogp);
		if (prefwriter_add(r->emit, &out, err))
			return -1;
	}
	return 0;
}

/* ---- evaluation */

static int evaluate_all(struct run *r, struct judge_step *all, struct err *err)
{
	uint64_t n = prefstore_records(r->eval);
	struct judge_step part;

	*all = (struct judge_step){0};
	for (uint64_t i = 0; i < n;) {
		batch_clear(&r->batch);
		for (; i < n && r->batch.n < (size_t)r->o->batch_size; i++)
			if (batch_add(&r->batch, r->eval, i, r->eval_ref, needs_ref_tokens(r), err))
				return -1;
		if (refer(r, err) || trainer_evaluate(r->trainer, r->batch.examples, (int64_t)r->batch.n, &part, err))
			return -1;
		judge_step_add(all, &part);
	}
	return 0;
}

static void say_evaluation(const struct run *r, const struct judge_step *all)
{
	double value = metrics_mean(all->loss, all->loss_weight);

	if (all->compared)
		cmd_say("step %lld: eval loss %.4f, accuracy %.4f, margin %.4f", (long long)r->state.step, value,
			metrics_mean(all->right, (double)all->compared), metrics_mean(all->margin, (double)all->compared));
	else
		cmd_say("step %lld: eval loss %.4f, tokens predicted first %.4f", (long long)r->state.step, value,
			metrics_mean(all->chosen.hits, (double)all->chosen.counted));
}

/* Is it the best so far? Then its weights are kept. */
static int compare(struct run *r, const struct judge_step *all, struct err *err)
{
	struct run_state *s = &r->state;
	double value = metrics_mean(all->loss, all->loss_weight);

	if (r->o->best == BEST_ACCURACY)
		value = -metrics_mean(all->right, (double)all->compared); /* less is better */
	if (s->evaluations++ > 0 && value >= s->best) {
		s->stale++;
		return 0;
	}
	s->best = value;
	s->best_step = s->step;
	s->stale = 0;
	return checkpoint_save_best(r, err);
}

/* On the average of the weights where there is one, since that is what will be written. */
static int evaluate(struct run *r, double epoch, struct err *err)
{
	struct judge_step all;
	int rc;

	if (!r->eval)
		return 0;
	trainer_swap_average(r->trainer);
	rc = evaluate_all(r, &all, err);
	if (rc == 0)
		say_evaluation(r, &all);
	rc = rc || metrics_eval(&r->metrics, r->state.step, epoch, &all, err) ||
		(r->o->best && compare(r, &all, err));
	trainer_swap_average(r->trainer);
	if (rc == 0 && r->o->patience && r->state.stale >= r->o->patience) {
		cmd_say("step %lld: %lld evaluations since a better one: the run ends", (long long)r->state.step,
			(long long)r->state.stale);
		r->state.ended = 1;
	}
	return rc ? -1 : 0;
}

/* ---- displacement: do chosen completions become less likely? (Razin et al., arXiv 2410.08847) */

static void watch_displacement(struct run *r, const struct judge_step *s)
{
	static const char *const then[] = {[DISPLACEMENT_WARN] = "", [DISPLACEMENT_STOP] = ": the run ends",
		[DISPLACEMENT_ADD] = ": the loss gets a further term"};
	struct judge_classes *c = &r->state.change;

	for (int i = 0; i < 3; i++) {
		c->change[i] = FADING * c->change[i] + s->classes.change[i];
		c->counted[i] = FADING * c->counted[i] + s->classes.counted[i];
	}
	if (!r->o->on_displacement || r->state.displaced || !(judge_change(c, 0, 3) <= -r->o->displacement))
		return;
	cmd_say("step %lld: chosen completions became less likely than at the start, by %.3g nats a token "
		"(short ones %.3g, medium %.3g, long %.3g)%s",
		(long long)r->state.step, -judge_change(c, 0, 3), -judge_change(c, 0, 1), -judge_change(c, 1, 2), -judge_change(c, 2, 3),
		then[r->o->on_displacement]);
	r->state.displaced = 1;
	if (r->o->on_displacement == DISPLACEMENT_STOP)
		r->state.ended = 1;
	if (r->o->on_displacement == DISPLACEMENT_ADD)
		trainer_add_term(r->trainer, &r->o->antidote);
}

/* ---- steps */

/* The batch of a step that is done after step others. */
static struct ahead_want batch_of(const struct run *r, int64_t step)
{
	const struct run_options *o = r->o;
	int64_t first = step % r->per_epoch * o->batch_size, left = r->records - first;

	return (struct ahead_want){r->data, (uint64_t)(step / r->per_epoch * r->records + first),
		left < o->batch_size ? left : o->batch_size, !o->no_shuffle, (uint64_t)o->seed, r->ref, needs_ref_tokens(r)};
}

/* This step's batch; and the next one's is begun. */
static int fill_batch(struct run *r, struct err *err)
{
	struct ahead_want now = batch_of(r, r->state.step), next = batch_of(r, r->state.step + 1);

	if (ahead_take(&r->ahead, &now, &r->batch, err))
		return -1;
	if (r->state.step + 1 < r->end)
		ahead_start(&r->ahead, &next);
	return refer(r, err);
}

/* The line of the log for the steps since the last one, if it is due. */
static int log_step(struct run *r, double rate, double epoch, struct err *err)
{
	struct run_state *s = &r->state;

	if (s->step == s->logged || (s->step - s->logged != r->o->log_every && s->step != r->steps && !s->ended))
		return 0;
	if (metrics_train(&r->metrics, s->step, epoch, rate, s->tokens, &s->since, err))
		return -1;
	s->since = (struct judge_step){0};
	s->logged = s->step;
	return 0;
}

static int step(struct run *r, struct err *err)
{
	const struct run_options *o = r->o;
	struct run_state *s = &r->state;
	double rate = o->lr * schedule_factor(&r->schedule, s->step), epoch = (double)(s->step + 1) / (double)r->per_epoch;
	struct judge_step now;

	if (fill_batch(r, err) ||
		trainer_step(r->trainer, r->batch.examples, (int64_t)r->batch.n, rate, &now, err) || emit(r, err))
		return -1;
	s->step++;
	s->tokens += now.tokens;
	s->last_loss = metrics_mean(now.loss, now.loss_weight);
	judge_step_add(&s->since, &now);
	watch_displacement(r, &now);
	if (r->follower && s->step % o->sync_every == 0)
		follower_move(r->follower, o->sync_share);
	if (metrics_records(&r->metrics, s->step, epoch, r->trainer, err) || log_step(r, rate, epoch, err))
		return -1;
	cmd_progress((uint64_t)s->step, ", loss %.4f", s->last_loss);
	if ((o->eval_every && s->step % o->eval_every == 0) || s->step == r->steps || s->ended)
		return evaluate(r, epoch, err) || log_step(r, rate, epoch, err) ? -1 : 0;
	return 0;
}

/* A checkpoint where one is due; ERR_STOPPED with one where the run is to stop. */
static int keep(struct run *r, struct err *err)
{
	const struct run_options *o = r->o;
	bool stop = stop_due(), asked = stop_checkpoint_due();

	if (!stop && !asked && !(o->checkpoint_every && r->state.step % o->checkpoint_every == 0))
		return 0;
	if (checkpoint_save(r, err))
		return -1;
	if (!stop)
		return 0;
	return err_set(err, ERR_STOPPED, "stopped after step %lld of %lld by %s; --resume goes on from %s",
		(long long)r->state.step, (long long)r->steps, stop_reason(), r->kept.folder);
}

static int train(struct run *r, struct err *err)
{
	struct run_state *s = &r->state;

	if (s->step == 0 && evaluate(r, 0, err))
		return -1;
	cmd_progress_start("steps", (uint64_t)r->steps);
	while (s->step < r->end && !s->ended) {
		if (step(r, err))
			return -1;
		if (r->kept.folder && s->step < r->end && !s->ended && keep(r, err))
			return -1;
	}
	cmd_progress_end();
	cmd_say("%lld steps, %lld tokens, last loss %.4f", (long long)s->step, (long long)s->tokens, s->last_loss);
	return 0;
}

int run_train(const struct run_options *o, struct err *err)
{
	struct run r = {.o = o, .batch = BATCH_INIT, .ahead = AHEAD_INIT, .metrics = METRICS_INIT, .kept = {.lock = -1}};
	int rc;

	if (run_is_kept(o))
		stop_watch(o->time_limit);
	rc = run_open(&r, err) || train(&r, err) || run_close(&r, err) ? -1 : 0;
	run_release(&r);
	return rc;
}
