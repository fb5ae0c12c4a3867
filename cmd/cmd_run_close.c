/* Writes what a run trained, once it is at its end. */
#include <stdlib.h>

#include "cmd/cmd_run.h"

/* The weights that the output gets: the average, or the best. */
static int choose_weights(struct run *r, struct err *err)
{
	trainer_swap_average(r->trainer);
	if (!r->o->best)
		return 0;
	cmd_say("the weights after step %lld were best", (long long)r->state.best_step);
	return checkpoint_load_best(r, err);
}

static int write_output(struct run *r, struct err *err)
{
	const struct run_options *o = r->o;

	if (o->steps && run_makes_update(o)) /* as they are: the next call goes on with them */
		return checkpoint_write(r, o->io.output, true, err);
	if (choose_weights(r, err))
		return -1;
	if (run_makes_update(o))
		return checkpoint_write(r, o->io.output, false, err);
	if (r->model.adapter)
		return adapter_save(&r->model, o->io.output, o->folder, o->settings, err);
	return model_save(&r->model, o->io.output, o->settings, err);
}

static int finish_emit(struct run *r, struct err *err)
{
	if (!r->o->emit)
		return 0;
	if (r->kept.folder)
		return checkpoints_join_emitted(r, err);
	return prefwriter_finish(r->emit, prefstore_totals(r->data), 0, 0, NULL, err);
}

int run_close(struct run *r, struct err *err)
{
	if (write_output(r, err) || finish_emit(r, err) || journal_close(&r->metrics.log, err) ||
		journal_close(&r->metrics.records, err))
		return -1;
	return r->kept.folder ? checkpoints_finish(r, err) : 0;
}

void run_release(struct run *r)
{
	struct err ignored;

	journal_close(&r->metrics.log, &ignored);
	journal_close(&r->metrics.records, &ignored);
	prefwriter_close(r->emit);
	follower_free(r->follower);
	trainer_free(r->trainer);
	ahead_release(&r->ahead);
	prefstore_close(r->data);
	prefstore_close(r->eval);
	batch_release(&r->batch);
	checkpoints_close(&r->kept);
	model_release(&r->model);
}
