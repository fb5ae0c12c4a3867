/* Opens what a run reads and writes, and says beforehand what it will need. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/cmd_model.h"
#include "cmd/cmd_run.h"
#include "io/file.h"
#include "io/modelout.h"

#define LENGTHS 65536 /* longer completions count as this long */

/* What the largest record of a stream needs, and how long chosen completions are. */
struct sizes {
	int64_t rows, counted, longest;
	int64_t *lengths; /* [LENGTHS + 1] how many have so many counted tokens */
};

bool run_is_kept(const struct run_options *o)
{
	return o->checkpoint_every || o->time_limit > 0 || o->resume || o->best;
}

bool run_makes_update(const struct run_options *o)
{
	size_t n = strlen(o->io.output);

	return !strcmp(o->io.output, "-") || (n > 4 && !strcmp(o->io.output + n - 4, ".tsz"));
}

static int need_tokens(const struct run *r, const struct prefstore *s, int place, const char *option, struct err *err)
{
	if (prefstore_schema(s)->tlogp[place])
		return 0;
	return err_set(err, ERR_MISMATCH, "%s needs 'tlogp.%.40s'; ref-logp adds it without --no-tokens", option,
		r->o->reference);
}

/* The place of the reference's column, which must be this model's. */
static int find_reference(const struct run *r, const struct prefstore *s, int *place, struct err *err)
{
	const struct run_options *o = r->o;
	const struct meta *meta = prefstore_meta(s);
	char key[PREF_MAX_NAME + 32];
	const char *made;

	*place = -1;
	if (!loss_needs_reference(&o->loss))
		return 0;
	*place = pref_schema_find(prefstore_schema(s), o->reference);
	if (*place < 0)
		return err_set(err, ERR_MISMATCH, "the stream has no column 'logp.%.40s'; ref-logp adds it", o->reference);
	snprintf(key, sizeof key, "logp.%.40s.model.sha256", o->reference);
	made = meta_get(meta, key);
	if (!o->allow_mismatch && (!made || strcmp(made, r->model_sha256)))
		return err_set(err, ERR_MISMATCH,
			"'logp.%.40s' comes from model %.12s, this model is %.12s (--allow-mismatch to go on)",
			o->reference, made ? made : "(unknown)", r->model_sha256);
	snprintf(key, sizeof key, "logp.%.40s.numerics", o->reference);
	made = meta_get(meta, key);
	if (!o->allow_mismatch && made && strncmp(made, cmd_dtype_names[o->dtype], strcspn(made, " ")))
		return err_set(err, ERR_MISMATCH,
			"'logp.%.40s' was computed in %.*s, this run computes in %s (--allow-mismatch to go on)", o->reference,
			(int)strcspn(made, " "), made, cmd_dtype_names[o->dtype]);
	return loss_needs_ref_tokens(&o->loss) ? need_tokens(r, s, *place, "--ld-alpha", err) : 0;
}

static struct prefstore *open_store(struct run *r, char *const *paths, int n, int *place, struct err *err)
{
	const struct run_options *o = r->o;
	struct prefstore *s = prefstore_open(paths, n, o->io.output, (uint64_t)o->io.max_block << 20, err);

	if (s && (cmd_check_stream(prefstore_meta(s), prefstore_schema(s), o->settings, &r->model, o->allow_mismatch,
			  err) ||
			 find_reference(r, s, place, err))) {
		prefstore_close(s);
		return NULL;
	}
	return s;
}

/* A run that is kept must find its data again: what comes through a pipe is kept too. */
static int open_data(struct run *r, struct err *err)
{
	const struct run_options *o = r->o;
	char **paths = o->inputs;
	int n = o->ninputs, rc = 0;
	char **spooled = NULL;

	if (run_is_kept(o))
		rc = checkpoints_spool(&r->kept, paths, n, &spooled, err);
	if (spooled) {
		paths = spooled;
		n = n ? n : 1;
	}
	if (rc == 0)
		r->data = open_store(r, paths, n, &r->ref, err);
	for (int i = 0; spooled && i < n; i++)
		free(spooled[i]);
	free(spooled);
	if (!r->data || (o->eval && !(r->eval = open_store(r, (char *const *)&o->eval, 1, &r->eval_ref, err))))
		return -1;
	if (o->log_tokens && need_tokens(r, r->data, r->ref, "--log-tokens", err))
		return -1;
	r->records = (int64_t)prefstore_records(r->data);
	return r->records ? 0 : err_set(err, ERR_FAILED, "the stream holds no records");
}

/* Reads all records once: the largest decide about memory, and what is damaged is found before work starts. */
static int scan(const struct run *r, struct prefstore *s, struct sizes *z, struct err *err)
{
	struct pref_rec rec;

	for (uint64_t i = 0; i < prefstore_records(s); i++) {
		int64_t n, tokens = 0, k, first;

		if (prefstore_get(s, i, &rec, err))
			return -1;
		k = loss_completions(&r->o->loss, rec.k);
		n = pack_rows(rec.seg, (int)k);
		for (int c = 0; c < k; c++) {
			int64_t len = pref_len(&rec, 0) + pref_len(&rec, c + 1);

			tokens += pref_counted(&rec, c);
			z->longest = len > z->longest ? len : z->longest;
		}
		z->rows = n > z->rows ? n : z->rows;
		z->counted = tokens > z->counted ? tokens : z->counted;
		first = pref_counted(&rec, 0);
		z->lengths[first < LENGTHS ? first : LENGTHS]++;
	}
	return 0;
}

/* The lengths that part the shorter, middle and longer third. */
static void cut_lengths(const struct sizes *z, int64_t records, int64_t length[2])
{
	int64_t longer = 0;

	length[0] = length[1] = LENGTHS;
	for (int64_t n = LENGTHS; n >= 0; n--) {
		if (longer * 3 < records)
			length[1] = n;
		if (longer * 3 < 2 * records)
			length[0] = n;
		longer += z->lengths[n];
	}
}

/* A micro-batch's rows and counted tokens at most: it holds whole records up to the budget, and no more than a batch has. */
static int64_t most_rows(const struct run *r, const struct sizes *z)
{
	int64_t budget = r->o->micro_tokens, batch = z->rows * r->o->batch_size, most = z->rows > budget ? z->rows : budget;

	return batch < most ? batch : most;
}

static int64_t most_counted(const struct run *r, const struct sizes *z)
{
	return most_rows(r, z) + z->counted; /* each row predicts one token but the prompts' last, which begin completions */
}

/* What any run takes besides: code and libraries, operands of products, what is read and written (tests/bench/memory.py). */
#define PROGRAM ((size_t)32 << 20)

static int memory(const struct run *r, const struct trainer_options *how, const struct sizes *z, size_t *bytes,
	struct err *err)
{
	const struct ops *ops = cmd_ops(r->o->dtype);
	int64_t rows = most_rows(r, z), counted = most_counted(r, z);
	size_t more = 0;

	if (trainer_memory(&r->model, ops, how, rows, counted, z->longest, z->rows * r->o->batch_size <= r->o->micro_tokens,
		    bytes, err) ||
		(r->o->sync_every && follower_memory(&r->model, ops, rows, counted, z->longest, &more, err)))
		return -1;
	*bytes += more + PROGRAM;
	return 0;
}

/* Says what the run needs; ERR_LIMIT where there is not that much memory. */
static int plan(const struct run *r, const struct trainer_options *how, const struct sizes *z, struct err *err)
{
	double have = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE), gib = 1 << 30;
	double need, most = r->o->max_mem ? (double)r->o->max_mem * (1 << 20) : have;
	size_t bytes;

	if (memory(r, how, z, &bytes, err))
		return -1;
	need = (double)bytes;
	if (r->model.adapter)
		cmd_say("an adapter of %.2f M parameters is trained", (double)r->model.adapter->params.count / 1e6);
	cmd_say("%.1f M parameters, %lld records, %lld steps; up to %.2f GiB of memory",
		(double)r->model.params.count / 1e6, (long long)r->records, (long long)r->steps, need / gib);
	if (need <= most)
		return 0;
	return err_set(err, ERR_LIMIT, "%.2f GiB of memory are needed, %s %.2f", need / gib,
		r->o->max_mem ? "--max-mem allows" : "the machine has", most / gib);
}

int run_open_emit(struct run *r, const char *path, struct err *err)
{
	struct tswriter_options o = cmd_writer_options(&r->o->io);
	struct pref_schema schema = *prefstore_schema(r->data);
	const char *inputs[] = {prefstore_head_sha256(r->data), r->model_sha256, NULL};
	struct meta meta = META_INIT;

	if (pref_schema_add(&schema, "policy", true, err) == 0 && meta_copy(&meta, prefstore_meta(r->data), err) == 0 &&
		cmd_add_prov(&r->o->io, &meta, inputs, err) == 0)
		r->emit = prefwriter_open(path, &meta, &schema, &o, err);
	r->emit_place = pref_schema_find(&schema, "policy");
	meta_release(&meta);
	return r->emit ? 0 : -1;
}

/* Steps, or below 1 a share of all. */
static int64_t steps_of(const struct run *r, double x)
{
	return (int64_t)(x < 1 ? x * (double)r->steps + 0.5 : x);
}

static void set_steps(struct run *r)
{
	const struct run_options *o = r->o;
	int64_t all;

	r->per_epoch = (r->records + o->batch_size - 1) / o->batch_size;
	all = o->epochs * r->per_epoch;
	r->steps = o->max_steps && o->max_steps < all ? o->max_steps : all;
	r->schedule = (struct schedule){.kind = (enum schedule_kind)o->schedule, .warmup = steps_of(r, o->warmup),
		.decay = steps_of(r, o->decay), .steps = r->steps, .floor = o->floor};
}

/* Where an adapter is trained: a new one, or the one that was applied. */
static int open_adapter(struct run *r, struct err *err)
{
	const struct run_options *o = r->o;
	struct model *m = &r->model;

	if (o->lora && m->adapter)
		return err_set(err, ERR_MISMATCH, "%s is an adapter, which is trained further without --lora; --merge makes "
			"a model of it", o->apply);
	if (o->lora && o->apply && !o->steps)
		return err_set(err, ERR_MISMATCH, "--lora would train on top of %s: make a model of it by --merge first",
			o->apply);
	if (o->lora && adapter_new(m, &o->adapter, (uint64_t)o->seed, err))
		return -1;
	if (m->adapter && m->adapter->o.dora && m->adapter->o.dropout > 0)
		return err_set(err, ERR_MISMATCH, "%s: an adapter with magnitudes and dropout cannot be trained", o->apply);
	return 0;
}

/* The model that the run begins with, and whose log-probs are the reference's. */
static int open_model(struct run *r, struct err *err)
{
	const struct run_options *o = r->o;

	if (!o->folder)
		return model_init(&r->model, o->config, (uint64_t)o->seed, err);
	if (cmd_open_model(&r->model, o->folder, o->steps ? NULL : o->apply, cmd_quantize_use(o->quantize),
		    (uint64_t)o->io.max_block << 20, r->base_sha256, r->model_sha256, err) ||
		open_adapter(r, err))
		return -1;
	return o->apply && o->steps ? checkpoint_start(r, o->apply, err) : 0;
}

static struct trainer_options describe_trainer(const struct run *r, const struct sizes *z)
{
	const struct run_options *o = r->o;
	struct trainer_options how = {
		.loss = o->loss,
		.clip = o->clip,
		.optimizer = o->optimizer,
		.dropout = r->model.adapter ? r->model.adapter->o.dropout : 0,
		.average = o->average,
		.gate = true,
		.batch_tokens = o->micro_tokens,
		.recompute = o->recompute,
		.fuse = o->clip == 0,
	};

	cut_lengths(z, r->records, how.length);
	return how;
}

/* All that is large is made here, after it was said. Without an adapter, all of the model is trained. */
static int open_trainer(struct run *r, const struct trainer_options *how, const struct sizes *z, struct err *err)
{
	const struct run_options *o = r->o;
	const struct ops *ops = cmd_ops(o->dtype);

	if (!r->model.adapter && model_hold(&r->model, err))
		return -1;
	r->trainer = trainer_new(&r->model, ops, how, err);
	if (!r->trainer || trainer_reserve(r->trainer, most_rows(r, z), most_counted(r, z), z->longest, err))
		return -1;
	if (o->sync_every)
		r->follower = follower_new(&r->model, ops, o->micro_tokens, err);
	return r->follower || !o->sync_every ? 0 : -1;
}

/* From the start, or from where an earlier call ended. */
static int begin(struct run *r, struct err *err)
{
	const struct run_options *o = r->o;
	int resumed = 0;

	if (o->apply && o->steps && checkpoint_continue(r, o->apply, err))
		return -1;
	r->end = o->steps && r->steps - r->state.step > o->steps ? r->state.step + o->steps : r->steps;
	if (r->state.step == r->steps || r->state.ended)
		return err_set(err, ERR_FAILED, "%s: the run is at its end already, after %lld steps", o->apply,
			(long long)r->state.step);
	if (o->resume)
		resumed = checkpoint_resume(r, err);
	if (resumed < 0)
		return -1;
	if (resumed)
		cmd_say("going on after step %lld", (long long)r->state.step);
	else if (o->resume)
		cmd_say("%s holds no checkpoint: a new run", r->kept.folder);
	r->metrics.loss = &o->loss;
	r->metrics.tokens = o->log_tokens;
	if (journal_open(&r->metrics.log, o->log, resumed ? r->state.log_bytes : 0, err))
		return -1;
	return journal_open(&r->metrics.records, o->log_records, resumed ? r->state.record_bytes : 0, err);
}

int run_open(struct run *r, struct err *err)
{
	const struct run_options *o = r->o;
	struct sizes z = {1, 1, 1, NULL};
	int rc = -1;

	if ((!run_makes_update(o) && modelout_check(o->io.output, err)) ||
		(run_is_kept(o) && checkpoints_open(&r->kept, o, err)) || open_model(r, err) || open_data(r, err))
		return -1;
	set_steps(r);
	z.lengths = mem_new(LENGTHS + 1, sizeof *z.lengths, err);
	if (z.lengths && scan(r, r->data, &z, err) == 0) {
		struct trainer_options how = describe_trainer(r, &z);

		rc = (r->eval && scan(r, r->eval, &z, err)) || plan(r, &how, &z, err) || open_trainer(r, &how, &z, err) ||
				     begin(r, err)
			     ? -1
			     : 0;
	}
	free(z.lengths);
	if (rc == 0 && o->emit && !r->kept.folder)
		rc = run_open_emit(r, o->emit, err);
	return rc;
}
