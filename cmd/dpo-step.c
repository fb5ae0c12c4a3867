/* dpo-step: trains a model on preference pairs (DPO), or on text (--loss sft). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "cmd/cmd.h"
#include "cmd/cmd_batch.h"
#include "cmd/cmd_loss.h"
#include "cmd/cmd_metrics.h"
#include "cmd/cmd_model.h"
#include "io/modelout.h"
#include "io/prefwriter.h"
#include "learn/schedule.h"

#define SHUFFLE_STREAM ((uint64_t)0x5ffu << 32) /* of random numbers; the epoch is added */

static struct cmd_stream io = {.output = NULL, .level = 1, .max_block = 64};
static const char *folder, *config, *log_path, *emit_path, *reference = "ref";
static const char *settings; /* the folder that tokenizer and config are copied from */
static char *eval_path;
static struct cmd_loss loss_how = CMD_LOSS_INIT;
static struct loss loss;
static int schedule;
static double lr = -1, warmup, decay = 0.1, floor_share, clip = 1, weight_decay, beta1 = 0.9, beta2 = 0.999,
	      eps = 1e-8;
static int64_t epochs = 1, batch_size = 8, seed, log_every = 1, eval_every, micro_tokens = 2048, max_steps;
static bool no_shuffle, allow_mismatch;

static const struct cmd_option options[] = {
	{'m', "model", "MODEL", CMD_PATH, &folder, .help = "folder of the model to train"},
	{0, "init", "CONFIG", CMD_PATH, &config, .help = "start from random weights for this config.json"},
	{'o', "output", "OUT", CMD_STRING, &io.output, .private = true, .help = "folder to write the model to"},
	CMD_LOSS_OPTIONS(loss_how),
	{0, "reference", "NAME", CMD_STRING, &reference, .help = "the reference's column (default ref)"},
	{0, "lr", "X", CMD_REAL, &lr, 0, 1e3, .help = "peak learning rate (default 1e-6; 2e-5 for sft)"},
	{0, "epochs", "N", CMD_INT, &epochs, 1, 1e6, .help = "times through the data (default 1)"},
	{0, "max-steps", "N", CMD_INT, &max_steps, 1, 1e12, .help = "stop after so many updates"},
	{0, "batch-size", "N", CMD_INT, &batch_size, 1, 1e6, .help = "records an update (default 8)"},
	{0, "schedule", "NAME", CMD_CHOICE, &schedule, .choices = schedule_names,
		.help = "linear (default), cosine, constant, inverse_sqrt, wsd"},
	{0, "decay", "X", CMD_REAL, &decay, 0, 1e9, .help = "wsd's last steps, or below 1 a share of all (default 0.1)"},
	{0, "min-lr", "X", CMD_REAL, &floor_share, 0, 1, .help = "share of the rate that it falls to (default 0)"},
	{0, "warmup", "X", CMD_REAL, &warmup, 0, 1e9, .help = "steps, or below 1 a share of all (default 0)"},
	{0, "clip", "X", CMD_REAL, &clip, 0, 1e9, .help = "largest gradient norm (default 1; 0: any)"},
	{0, "weight-decay", "X", CMD_REAL, &weight_decay, 0, 10, .help = "AdamW's (default 0)"},
	{0, "beta1", "X", CMD_REAL, &beta1, 0, 0.999999, .help = "AdamW's (default 0.9)"},
	{0, "beta2", "X", CMD_REAL, &beta2, 0, 0.999999999, .help = "AdamW's (default 0.999)"},
	{0, "eps", "X", CMD_REAL, &eps, 1e-30, 1, .help = "AdamW's (default 1e-8)"},
	{0, "seed", "N", CMD_INT, &seed, 0, 9e15, .help = "of shuffling and initial weights (default 0)"},
	{0, "no-shuffle", 0, CMD_FLAG, &no_shuffle, .help = "records in the stream's order"},
	{0, "micro-tokens", "N", CMD_INT, &micro_tokens, 1, 1 << 24, .help = "tokens computed at a time (default 2048)"},
	{0, "log", "FILE", CMD_STRING, &log_path, .private = true, .help = "metrics as JSON lines"},
	{0, "log-every", "N", CMD_INT, &log_every, 1, 1e9, .private = true, .help = "steps a line (default 1)"},
	{0, "emit", "FILE", CMD_STRING, &emit_path, .private = true,
		.help = "the records as trained, with logp.policy, as a stream"},
	{0, "eval", "FILE", CMD_STRING, &eval_path, .private = true, .help = "stream to evaluate on, before and after"},
	{0, "eval-every", "N", CMD_INT, &eval_every, 1, 1e9, .private = true, .help = "and every N steps"},
	{0, "allow-mismatch", 0, CMD_FLAG, &allow_mismatch, .help = "go on with another model's or tokenizer's stream"},
	{0, "no-prov", 0, CMD_FLAG, &io.no_prov, .private = true, .help = "leave provenance out of what is emitted"},
	CMD_INPUT_OPTIONS(io),
	{0},
};

static const struct cmd cmd = {"dpo-step",
	"-m MODEL | --init CONFIG -o OUT [-qv] " CMD_LOSS_SYNOPSIS
	"[--reference NAME] [--lr X] [--epochs N] [--max-steps N] [--batch-size N] "
	"[--schedule linear|cosine|constant|inverse_sqrt|wsd] [--warmup X] [--decay X] [--min-lr X] [--clip X] "
	"[--weight-decay X] [--beta1 X] [--beta2 X] [--eps X] [--seed N] [--no-shuffle] [--micro-tokens N] "
	"[--log FILE] [--log-every N] [--emit FILE] [--eval FILE] [--eval-every N] [--allow-mismatch] [--no-prov] "
	"[--max-block MIB] [-@ N] [FILE ...]\n",
	options};

/* A run, from the data to the last step. */
struct run {
	struct model model;
	char model_sha256[65]; /* before training; empty after --init */
	struct trainer_options options;
	struct trainer *trainer;
	struct prefstore *data, *eval;
	int ref, eval_ref; /* places of the reference's column */
	int64_t records, steps;
	struct schedule schedule;
	struct batch batch;
	struct metrics metrics;
	struct prefwriter *emit;
	int emit_place;
};

/* The place of the reference's column, which must be this model's. */
static int find_reference(const struct run *r, const struct prefstore *s, int *place, struct err *err)
{
	const struct meta *meta = prefstore_meta(s);
	char key[PREF_MAX_NAME + 32];
	const char *made;

	*place = -1;
	if (!loss_needs_reference(&loss))
		return 0;
	*place = pref_schema_find(prefstore_schema(s), reference);
	if (*place < 0)
		return err_set(err, ERR_MISMATCH, "the stream has no column 'logp.%.40s'; ref-logp adds it", reference);
	snprintf(key, sizeof key, "logp.%.40s.model.sha256", reference);
	made = meta_get(meta, key);
	if (!allow_mismatch && (!made || strcmp(made, r->model_sha256)))
		return err_set(err, ERR_MISMATCH,
			"'logp.%.40s' comes from model %.12s, this model is %.12s (--allow-mismatch to go on)",
			reference, made ? made : "(unknown)", r->model_sha256);
	if (loss_needs_ref_tokens(&loss) && !prefstore_schema(s)->tlogp[*place])
		return err_set(err, ERR_MISMATCH, "--ld-alpha needs 'tlogp.%.40s'; ref-logp adds it without --no-tokens",
			reference);
	return 0;
}

static struct prefstore *open_data(struct run *r, char *const *paths, int n, int *place, struct err *err)
{
	struct prefstore *s = prefstore_open(paths, n, io.output, (uint64_t)io.max_block << 20, err);

	if (s && (cmd_check_stream(prefstore_meta(s), prefstore_schema(s), settings, &r->model,
			  allow_mismatch, err) ||
			 find_reference(r, s, place, err))) {
		prefstore_close(s);
		return NULL;
	}
	return s;
}

/* Reads all records once: the largest decide about memory, and what is damaged is found before work starts. */
static int scan(struct prefstore *s, int64_t *rows, int64_t *counted, int64_t *longest, struct err *err)
{
	struct pref_rec rec;

	for (uint64_t i = 0; i < prefstore_records(s); i++) {
		int64_t n, tokens = 0, k;

		if (prefstore_get(s, i, &rec, err))
			return -1;
		k = loss_completions(&loss, rec.k);
		n = pack_rows(rec.seg, (int)k);
		for (int c = 0; c < k; c++) {
			int64_t len = pref_len(&rec, 0) + pref_len(&rec, c + 1);

			tokens += pref_counted(&rec, c);
			*longest = len > *longest ? len : *longest;
		}
		*rows = n > *rows ? n : *rows;
		*counted = tokens > *counted ? tokens : *counted;
	}
	return 0;
}

/* Says what the run needs; ERR_LIMIT where the machine has not that much memory. */
static int plan(struct run *r, struct err *err)
{
	int64_t rows = 1, counted = 1, longest = 1, most;
	double need, have = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);

	if (scan(r->data, &rows, &counted, &longest, err) || (r->eval && scan(r->eval, &rows, &counted, &longest, err)))
		return -1;
	/* A micro-batch holds whole records up to the budget, and never more than a batch of the largest. */
	most = rows > micro_tokens ? rows : micro_tokens;
	if (most > rows * batch_size)
		most = rows * batch_size;
	counted = most + counted; /* each row predicts one token but the prompts' last, which begin completions */
	need = (double)trainer_memory(r->trainer, most, counted, longest);
	cmd_say("%.1f M parameters, %lld records, %lld steps; up to %.2f GiB of memory",
		(double)r->model.params.count / 1e6, (long long)r->records, (long long)r->steps, need / (1 << 30));
	if (need > have)
		return err_set(err, ERR_LIMIT, "%.2f GiB of memory are needed, the machine has %.2f", need / (1 << 30),
			have / (1 << 30));
	return 0;
}

static int open_emit(struct run *r, struct err *err)
{
	struct tswriter_options o = cmd_writer_options(&io);
	struct pref_schema schema = *prefstore_schema(r->data);
	const char *inputs[] = {prefstore_head_sha256(r->data), r->model_sha256, NULL};
	struct meta meta = META_INIT;

	if (emit_path && pref_schema_add(&schema, "policy", true, err) == 0 &&
		meta_copy(&meta, prefstore_meta(r->data), err) == 0 && cmd_add_prov(&io, &meta, inputs, err) == 0)
		r->emit = prefwriter_open(emit_path, &meta, &schema, &o, err);
	r->emit_place = pref_schema_find(&schema, "policy");
	meta_release(&meta);
	return emit_path && !r->emit ? -1 : 0;
}

/* Steps, or below 1 a share of all. */
static int64_t steps_of(const struct run *r, double x)
{
	return (int64_t)(x < 1 ? x * (double)r->steps + 0.5 : x);
}

static int open_run(struct run *r, char **paths, int n, struct err *err)
{
	int64_t per_epoch;

	if (modelout_check(io.output, err))
		return -1;
	if (folder ? model_open(&r->model, folder, MODEL_TRAIN, err) || modeldir_digest(&r->model.dir, r->model_sha256, err)
		   : model_init(&r->model, config, (uint64_t)seed, err))
		return -1;
	modeldir_forget(&r->model.dir);
	r->data = open_data(r, paths, n, &r->ref, err);
	if (!r->data)
		return -1;
	if (eval_path && !(r->eval = open_data(r, &eval_path, 1, &r->eval_ref, err)))
		return -1;
	r->records = (int64_t)prefstore_records(r->data);
	if (!r->records)
		return err_set(err, ERR_FAILED, "the stream holds no records");
	per_epoch = (r->records + batch_size - 1) / batch_size;
	r->steps = max_steps && max_steps < epochs * per_epoch ? max_steps : epochs * per_epoch;
	r->schedule = (struct schedule){.kind = (enum schedule_kind)schedule, .warmup = steps_of(r, warmup),
		.decay = steps_of(r, decay), .steps = r->steps, .floor = floor_share};
	r->options = (struct trainer_options){
		.loss = loss,
		.clip = clip,
		.beta1 = beta1,
		.beta2 = beta2,
		.eps = eps,
		.weight_decay = weight_decay,
		.batch_tokens = micro_tokens,
	};
	r->trainer = trainer_new(&r->model, ops_find("cpu"), &r->options, err);
	if (!r->trainer || plan(r, err) || metrics_open(&r->metrics, log_path, &loss, err))
		return -1;
	return open_emit(r, err);
}

/* Writes the batch's records with the log-probs that the step saw. */
static int emit(struct run *r, struct err *err)
{
	const struct logp_row *rows = trainer_rows(r->trainer);

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

static int evaluate(struct run *r, int64_t step, double epoch, struct err *err)
{
	struct judge_step all = {0}, part;
	uint64_t n = r->eval ? prefstore_records(r->eval) : 0;
	double value;

	for (uint64_t i = 0; i < n;) {
		batch_clear(&r->batch);
		for (; i < n && r->batch.n < (size_t)batch_size; i++)
			if (batch_add(&r->batch, r->eval, i, r->eval_ref, loss_needs_ref_tokens(&loss), err))
				return -1;
		if (trainer_evaluate(r->trainer, r->batch.examples, (int64_t)r->batch.n, &part, err))
			return -1;
		judge_step_add(&all, &part);
	}
	if (!n)
		return 0;
	value = metrics_mean(all.loss, all.loss_weight);
	if (all.compared)
		cmd_say("step %lld: eval loss %.4f, accuracy %.4f, margin %.4f", (long long)step, value,
			metrics_mean(all.right, (double)all.compared), metrics_mean(all.margin, (double)all.compared));
	else
		cmd_say("step %lld: eval loss %.4f, tokens predicted first %.4f", (long long)step, value,
			metrics_mean(all.chosen.hits, (double)all.chosen.counted));
	return metrics_eval(&r->metrics, step, epoch, &all, err);
}

/* Record number at (of all epochs) in the order of its epoch. */
static uint64_t record_at(const struct run *r, int64_t at)
{
	uint64_t n = (uint64_t)r->records, epoch = (uint64_t)at / n, i = (uint64_t)at % n;

	return no_shuffle ? i : rng_permute((uint64_t)seed, SHUFFLE_STREAM + epoch, n, i);
}

static int train(struct run *r, struct err *err)
{
	struct judge_step since = {0}, s;
	int64_t per_epoch = (r->records + batch_size - 1) / batch_size, tokens = 0, logged = 0;
	double last = 0;

	if (evaluate(r, 0, 0, err))
		return -1;
	cmd_progress_start("steps", (uint64_t)r->steps);
	for (int64_t step = 0; step < r->steps; step++) {
		int64_t epoch = step / per_epoch, first = step % per_epoch * batch_size, n = r->records - first;
		double rate = lr * schedule_factor(&r->schedule, step);
		double passed = (double)(step + 1) / (double)per_epoch;

		n = n < batch_size ? n : batch_size;
		batch_clear(&r->batch);
		for (int64_t i = 0; i < n; i++)
			if (batch_add(&r->batch, r->data, record_at(r, epoch * r->records + first + i), r->ref,
				    loss_needs_ref_tokens(&loss), err))
				return -1;
		if (trainer_step(r->trainer, r->batch.examples, n, rate, &s, err) || emit(r, err))
			return -1;
		tokens += s.tokens;
		judge_step_add(&since, &s);
		if (step + 1 - logged == log_every || step + 1 == r->steps) {
			if (metrics_train(&r->metrics, step + 1, passed, rate, tokens, &since, err))
				return -1;
			since = (struct judge_step){0};
			logged = step + 1;
		}
		last = metrics_mean(s.loss, s.loss_weight);
		cmd_progress((uint64_t)step + 1, ", loss %.4f", last);
		if (((eval_every && (step + 1) % eval_every == 0) || step + 1 == r->steps) &&
			evaluate(r, step + 1, passed, err))
			return -1;
	}
	cmd_progress_end();
	cmd_say("%lld steps, %lld tokens, last loss %.4f", (long long)r->steps, (long long)tokens, last);
	return 0;
}

static int run(char **paths, int n, struct err *err)
{
	struct run r = {.batch = BATCH_INIT};
	char *config_folder = folder ? NULL : path_parent(config, err);
	int rc;

	settings = folder ? folder : config_folder;
	rc = !settings || open_run(&r, paths, n, err) || train(&r, err) ? -1 : 0;
	if (rc == 0)
		rc = model_save(&r.model, io.output, settings, err);
	if (rc == 0 && r.emit)
		rc = prefwriter_finish(r.emit, prefstore_totals(r.data), 0, 0, NULL, err);
	if (rc == 0)
		rc = metrics_close(&r.metrics, err);
	prefwriter_close(r.emit);
	free(config_folder);
	trainer_free(r.trainer);
	prefstore_close(r.data);
	prefstore_close(r.eval);
	batch_release(&r.batch);
	model_release(&r.model);
	return rc;
}

int main(int argc, char **argv)
{
	int first = cmd_parse(&cmd, argc, argv);
	struct err err = ERR_INIT;

	cmd_loss_settle(&loss_how, &loss);
	if (!io.output)
		cmd_usage("-o OUT is missing");
	if (!folder == !config)
		cmd_usage("one of -m MODEL and --init CONFIG is needed");
	if (!loss_needs_reference(&loss))
		cmd_refuse("with a loss that needs none", "reference", NULL);
	else if (config)
		cmd_usage("--init starts from random weights, which are no reference's: --loss sft can train them");
	if (loss_completions(&loss, 2) == 1)
		cmd_refuse("with --loss sft", "emit", NULL);
	if (schedule != SCHEDULE_WSD)
		cmd_refuse("without --schedule wsd", "decay", NULL);
	if (schedule == SCHEDULE_CONSTANT)
		cmd_refuse("with --schedule constant", "min-lr", NULL);
	if (no_shuffle && !config)
		cmd_refuse("with --no-shuffle", "seed", NULL);
	if (!eval_path)
		cmd_refuse("without --eval", "eval-every", NULL);
	if (!log_path)
		cmd_refuse("without --log", "log-every", NULL);
	if (!emit_path)
		cmd_refuse("without --emit", "no-prov", NULL);
	if (log_path && emit_path && !strcmp(log_path, "-") && !strcmp(emit_path, "-"))
		cmd_usage("--log and --emit cannot both be standard output");
	if (lr < 0)
		lr = loss_completions(&loss, 2) == 1 ? 2e-5 : 1e-6;
	if (run(argv + first, argc - first, &err))
		cmd_die(&err);
	return 0;
}
