/* dpo-step: trains a model on preferences, or on text (--loss sft). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/cmd_lora.h"
#include "cmd/cmd_loss.h"
#include "cmd/cmd_run.h"
#include "cmd/cmd_sweep.h"
#include "io/file.h"

static const char *const best_names[] = {"loss", "accuracy", NULL};

static struct run_options o = {
	.io = {.output = NULL, .level = 1, .max_block = 64},
	.reference = "ref",
	.epochs = 1,
	.batch_size = 8,
	.micro_tokens = 2048,
	.lr = -1,
	.decay = 0.1,
	.clip = 1,
	.log_every = 1,
	.displacement = 0.05,
};
static struct cmd_loss loss = CMD_LOSS_INIT;
static struct cmd_lora lora = CMD_LORA_INIT;
static int optimizer, moments, best;
static double weight_decay, beta1 = -1, beta2 = -1, eps = 1e-8;
static const char *sync_ref, *on_displacement;
static struct sweep_options sweep = {.loss = &loss, .policy = "policy", .top = 3};
static bool dry_sweep;

static const struct cmd_option options[] = {
	{'m', "model", "MODEL", CMD_PATH, &o.folder, .help = "folder of the model to train"},
	{0, "init", "CONFIG", CMD_PATH, &o.config, .help = "start from random weights for this config.json"},
	{0, "apply", "UPDATE", CMD_PATH, &o.apply, .help = "start from MODEL with this update"},
	{'o', "output", "OUT", CMD_STRING, &o.io.output, .private = true,
		.help = "folder for the model, or FILE.tsz or - for an update"},
	CMD_LORA_OPTIONS(lora),
	{0, "dtype", "TYPE", CMD_CHOICE, &o.dtype, .choices = cmd_dtype_names,
		.help = "of matrix products: f32 (default), bf16"},
	CMD_LOSS_OPTIONS(loss),
	{0, "reference", "NAME", CMD_STRING, &o.reference, .help = "the reference's column (default ref)"},
	{0, "sync-ref", "N:A", CMD_STRING, &sync_ref,
		.help = "each N steps, the reference becomes A parts policy (TR-DPO: 512:0.6)"},
	{0, "lr", "X", CMD_REAL, &o.lr, 0, 1e3, .help = "peak learning rate (default 1e-6; sft 2e-5; with --lora 10 times that)"},
	{0, "epochs", "N", CMD_INT, &o.epochs, 1, 1e6, .help = "times through the data (default 1)"},
	{0, "max-steps", "N", CMD_INT, &o.max_steps, 1, 1e12, .help = "stop after so many updates"},
	{0, "batch-size", "N", CMD_INT, &o.batch_size, 1, 1e6, .help = "records an update (default 8)"},
	{0, "schedule", "NAME", CMD_CHOICE, &o.schedule, .choices = schedule_names,
		.help = "linear (default), cosine, constant, inverse_sqrt, wsd"},
	{0, "warmup", "X", CMD_REAL, &o.warmup, 0, 1e9, .help = "steps, or below 1 a share of all (default 0)"},
	{0, "decay", "X", CMD_REAL, &o.decay, 0, 1e9, .help = "wsd's last steps, or below 1 a share of all (default 0.1)"},
	{0, "min-lr", "X", CMD_REAL, &o.floor, 0, 1, .help = "share of the rate that it falls to (default 0)"},
	{0, "clip", "X", CMD_REAL, &o.clip, 0, 1e9, .help = "largest gradient norm (default 1; 0: any)"},
	{0, "optimizer", "NAME", CMD_CHOICE, &optimizer, .choices = optimizer_names,
		.help = "adamw (default), rmsprop, sgd, lion, adafactor"},
	{0, "moments", "TYPE", CMD_CHOICE, &moments, .choices = optimizer_moment_names,
		.help = "how it keeps means: f32 (default), bf16, int8"},
	{0, "weight-decay", "X", CMD_REAL, &weight_decay, 0, 10, .help = "of matrices, times the rate (default 0)"},
	{0, "beta1", "X", CMD_REAL, &beta1, 0, 0.999999, .help = "decay of the gradient's mean (default 0.9)"},
	{0, "beta2", "X", CMD_REAL, &beta2, 0, 0.999999999,
		.help = "of its square's (default adamw 0.999, others 0.99)"},
	{0, "eps", "X", CMD_REAL, &eps, 1e-30, 1, .help = "added to that one's root (default 1e-8)"},
	{0, "ema", "X", CMD_REAL, &o.average, 0, 0.999999999, .help = "write a running mean of the weights, of this decay"},
	{0, "seed", "N", CMD_INT, &o.seed, 0, 9e15, .help = "of everything random (default 0)"},
	{0, "no-shuffle", 0, CMD_FLAG, &o.no_shuffle, .help = "records in the stream's order"},
	{0, "micro-tokens", "N", CMD_INT, &o.micro_tokens, 1, 1 << 24, .help = "tokens computed at a time (default 2048)"},
	{0, "recompute", 0, CMD_FLAG, &o.recompute, .private = true,
		.help = "keep less of the forward pass, and compute it again"},
	{0, "max-mem", "MIB", CMD_INT, &o.max_mem, 1, 1 << 30, .private = true,
		.help = "refuse to use more memory, in MiB (default: what the machine has)"},
	{0, "log", "FILE", CMD_STRING, &o.log, .private = true, .help = "metrics as JSON lines"},
	{0, "log-every", "N", CMD_INT, &o.log_every, 1, 1e9, .private = true, .bound = true, .help = "steps a line (default 1)"},
	{0, "log-records", "FILE", CMD_STRING, &o.log_records, .private = true,
		.help = "metrics of each record as it is trained on, as JSON lines"},
	{0, "log-tokens", 0, CMD_FLAG, &o.log_tokens, .private = true, .bound = true,
		.help = "there with log-ratios by token"},
	{0, "emit", "FILE", CMD_STRING, &o.emit, .private = true,
		.help = "the records as trained, with logp.policy, as a stream"},
	{0, "eval", "FILE", CMD_STRING, &o.eval, .private = true, .help = "stream to evaluate on, before and after"},
	{0, "eval-every", "N", CMD_INT, &o.eval_every, 1, 1e9, .private = true, .bound = true, .help = "and every N steps"},
	{0, "best", "WHAT", CMD_CHOICE, &best, .choices = best_names,
		.help = "write the weights of the best evaluation, by loss or accuracy"},
	{0, "patience", "N", CMD_INT, &o.patience, 1, 1e9, .help = "end after N evaluations without a better one"},
	{0, "displacement", "X", CMD_REAL, &o.displacement, 0, 1e6,
		.help = "fall of chosen log-probs that is one, in nats a token (default 0.05)"},
	{0, "on-displacement", "WHAT", CMD_STRING, &on_displacement,
		.help = "warn, stop, add-sft:W or dpop:W when it happens"},
	{0, "checkpoint-every", "N", CMD_INT, &o.checkpoint_every, 1, 1e12, .private = true,
		.help = "keep the run in OUT.ckpt, every N steps"},
	{0, "keep", "N", CMD_INT, &o.keep, 1, 1e6, .private = true, .help = "checkpoints, also after the run (default 1, and then none)"},
	{0, "time-limit", "S", CMD_REAL, &o.time_limit, 1, 1e9, .private = true,
		.help = "stop before S seconds have passed, with a checkpoint"},
	{0, "resume", 0, CMD_FLAG, &o.resume, .private = true, .help = "go on from the last checkpoint, if there is one"},
	{0, "steps", "N", CMD_INT, &o.steps, 1, 1e12, .private = true, .help = "make N steps of the run; an update carries it along"},
	{0, "dry-sweep", 0, CMD_FLAG, &dry_sweep, .private = true,
		.help = "train nothing: show losses over betas for a stream with logp.policy"},
	{0, "betas", "LIST", CMD_STRING, &sweep.betas, .private = true,
		.help = "X,... (default: 0.1, 0.3, 1, 3 and 10 times the loss's)"},
	{0, "policy", "NAME", CMD_STRING, &sweep.policy, .private = true, .help = "the policy's column (default policy)"},
	{0, "top", "N", CMD_INT, &sweep.top, 0, SWEEP_TOP, .private = true,
		.help = "heaviest records to name (default 3)"},
	{0, "json", 0, CMD_FLAG, &sweep.json, .private = true, .help = "one JSON object instead of the table"},
	{0, "allow-mismatch", 0, CMD_FLAG, &o.allow_mismatch, .help = "go on with another model's or tokenizer's stream"},
	{0, "no-prov", 0, CMD_FLAG, &o.io.no_prov, .private = true, .help = "leave provenance out of streams"},
	CMD_INPUT_OPTIONS(o.io),
	{0},
};

static const struct cmd cmd = {"dpo-step",
	"-m MODEL | --init CONFIG [--apply UPDATE] -o OUT [-qv] " CMD_LORA_SYNOPSIS "[--dtype f32|bf16] " CMD_LOSS_SYNOPSIS
	"[--reference NAME] [--sync-ref N:A] [--lr X] [--epochs N] [--max-steps N] [--batch-size N] "
	"[--schedule linear|cosine|constant|inverse_sqrt|wsd] [--warmup X] [--decay X] [--min-lr X] [--clip X] "
	"[--optimizer adamw|rmsprop|sgd|lion|adafactor] [--moments f32|bf16|int8] [--weight-decay X] [--beta1 X] "
	"[--beta2 X] [--eps X] [--ema X] [--seed N] [--no-shuffle] [--micro-tokens N] [--recompute] [--max-mem MIB] "
	"[--log FILE] [--log-every N] [--log-records FILE] [--log-tokens] [--emit FILE] [--eval FILE] [--eval-every N] "
	"[--best loss|accuracy] [--patience N] [--displacement X] [--on-displacement WHAT] [--checkpoint-every N] [--keep N] "
	"[--time-limit S] [--resume] [--steps N] [--allow-mismatch] [--no-prov] [--max-block MIB] [-@ N] "
	"[FILE ...]\n"
	"-m MODEL --apply UPDATE --merge -o FOLDER [-qv] [-@ N]\n"
	"--dry-sweep [-qv] [--loss LIST] [--betas LIST] " CMD_LOSS_SYNOPSIS_REST "[--reference-free] [--policy NAME] "
	"[--reference NAME] [--batch-size N] [--seed N] [--no-shuffle] [--top N] [--json] [--max-block MIB] [-@ N] "
	"[FILE ...]\n",
	options};

/* ---- from options to a run */

static void settle_optimizer(void)
{
	static const struct {
		const char *name;
		unsigned bit;
	} its[] = {{"beta1", OPTIMIZER_BETA1}, {"beta2", OPTIMIZER_BETA2}, {"eps", OPTIMIZER_EPS},
		{"moments", OPTIMIZER_MOMENTS}};
	char because[60];

	snprintf(because, sizeof because, "with --optimizer %s", optimizer_names[optimizer]);
	for (size_t i = 0; i < sizeof its / sizeof *its; i++)
		if (!(optimizer_uses((enum optimizer_kind)optimizer) & its[i].bit))
			cmd_refuse(because, its[i].name, NULL);
	o.optimizer = optimizer_defaults((enum optimizer_kind)optimizer);
	if (cmd_given("beta1"))
		o.optimizer.beta1 = beta1;
	if (cmd_given("beta2"))
		o.optimizer.beta2 = beta2;
	o.optimizer.eps = eps;
	o.optimizer.moments = (enum moment_type)moments;
	o.optimizer.weight_decay = weight_decay;
	o.optimizer.seed = (uint64_t)o.seed;
}

static void settle_sync(void)
{
	char *end;
	long long every;

	if (!sync_ref)
		return;
	every = strtoll(sync_ref, &end, 10);
	if (every >= 1 && *end == ':')
		o.sync_share = strtod(end + 1, &end);
	if (every < 1 || *end || !(o.sync_share > 0 && o.sync_share <= 1))
		cmd_usage("--sync-ref: '%s' is not STEPS:SHARE with a share above 0 and up to 1", sync_ref);
	o.sync_every = every;
}

/* A term for the loss: the name and the weight of "NAME:W". */
static void set_antidote(enum loss_id id, const char *weight)
{
	char *end;

	o.on_displacement = DISPLACEMENT_ADD;
	o.antidote = (struct loss_term){.id = id, .weight = strtod(weight, &end), .p = loss_kinds[id].defaults};
	if (end == weight || *end || !(o.antidote.weight > 0 && o.antidote.weight <= 1e6))
		cmd_usage("--on-displacement: '%s' is no weight above 0", weight);
	if (loss_has(&o.loss, id) || o.loss.n == LOSS_MAX_TERMS)
		cmd_usage("--on-displacement: %s is in --loss already", loss_kinds[id].name);
}

static void settle_displacement(void)
{
	const char *what = on_displacement;

	if (!what) {
		cmd_refuse("without --on-displacement", "displacement", NULL);
		return;
	}
	if (!loss_needs_reference(&o.loss))
		cmd_usage("--on-displacement has no effect with a loss that needs no reference");
	if (!strcmp(what, "warn"))
		o.on_displacement = DISPLACEMENT_WARN;
	else if (!strcmp(what, "stop"))
		o.on_displacement = DISPLACEMENT_STOP;
	else if (!strncmp(what, "add-sft:", 8))
		set_antidote(LOSS_SFT, what + 8);
	else if (!strncmp(what, "dpop:", 5))
		set_antidote(LOSS_FLOOR, what + 5);
	else
		cmd_usage("--on-displacement: '%s' is none of warn, stop, add-sft:W, dpop:W", what);
}

/* What has no effect where something else is missing. */
static void refuse_idle(void)
{
	bool stream = o.emit || run_makes_update(&o) || run_is_kept(&o);

	if (!loss_needs_reference(&o.loss))
		cmd_refuse("with a loss that needs none", "reference", "sync-ref", "log-tokens", NULL);
	if (loss_completions(&o.loss, 2) == 1)
		cmd_refuse("with --loss sft", "emit", NULL);
	if (o.schedule != SCHEDULE_WSD)
		cmd_refuse("without --schedule wsd", "decay", NULL);
	if (o.schedule == SCHEDULE_CONSTANT)
		cmd_refuse("with --schedule constant", "min-lr", NULL);
	if (o.no_shuffle && !o.config && !o.lora && !o.apply && (!moments || optimizer == OPTIMIZER_ADAFACTOR))
		cmd_refuse("with --no-shuffle", "seed", NULL);
	if (!o.eval)
		cmd_refuse("without --eval", "eval-every", "best", NULL);
	if (!o.best || !o.eval_every)
		cmd_refuse("without --best and --eval-every", "patience", NULL);
	if (!o.log)
		cmd_refuse("without --log", "log-every", NULL);
	if (!o.log_records)
		cmd_refuse("without --log-records", "log-tokens", NULL);
	if (!stream)
		cmd_refuse("without --emit, an update or checkpoints", "no-prov", NULL);
	if (!run_is_kept(&o))
		cmd_refuse("without --checkpoint-every, --time-limit, --best or --resume", "keep", NULL);
}

static void check_together(void)
{
	const char *const outputs[] = {o.io.output, o.log, o.log_records, o.emit};
	int stdouts = 0;

	for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++)
		stdouts += outputs[i] && !strcmp(outputs[i], "-");
	if (stdouts > 1)
		cmd_usage("only one of -o, --log, --log-records and --emit can be standard output");
	if (!o.folder == !o.config)
		cmd_usage("one of -m MODEL and --init CONFIG is needed");
	if (o.config && loss_needs_reference(&o.loss))
		cmd_usage("--init starts from random weights, which are no reference's: --loss sft can train them");
	if (o.config && (lora.adapter.rank || lora.quantize))
		cmd_usage("--lora and --quantize need -m MODEL");
	if (lora.merge && o.ninputs)
		cmd_usage("--merge reads no stream");
	if (lora.merge && (!o.folder || !o.apply || run_makes_update(&o)))
		cmd_usage("--merge needs -m MODEL, --apply UPDATE and a folder to write");
	if (o.config && o.apply && !o.steps)
		cmd_usage("--apply needs -m MODEL, or --steps");
	if (o.steps && o.best)
		cmd_usage("--steps and --best contradict each other");
	if (run_is_kept(&o) && !strcmp(o.io.output, "-"))
		cmd_usage("a run with checkpoints needs an OUT with a name");
}

static int show_sweep(void)
{
	struct err err = ERR_INIT;

	cmd_refuse_others("with --dry-sweep", "dry-sweep", "loss", "label-smoothing", "gamma", "tau", "alpha", "penalty",
		"nll", "desirable", "undesirable", "f-divergence", "f-alpha", "ld-alpha", "reference-free", "reference", "policy",
		"betas", "batch-size", "seed", "no-shuffle", "top", "json", "max-block", NULL);
	if (o.no_shuffle)
		cmd_refuse("with --no-shuffle", "seed", NULL);
	sweep.io = &o.io;
	sweep.reference = o.reference;
	sweep.batch_size = o.batch_size;
	sweep.seed = o.seed;
	sweep.no_shuffle = o.no_shuffle;
	sweep.inputs = o.inputs;
	sweep.ninputs = o.ninputs;
	if (cmd_sweep(&sweep, &err))
		cmd_die(&err);
	return 0;
}

int main(int argc, char **argv)
{
	int first = cmd_parse(&cmd, argc, argv);
	struct err err = ERR_INIT;
	char *config_folder = NULL;

	o.inputs = argv + first;
	o.ninputs = argc - first;
	if (dry_sweep)
		return show_sweep();
	cmd_refuse("without --dry-sweep", "betas", "policy", "top", "json", NULL);
	cmd_loss_settle(&loss, &o.loss);
	if (cmd_given("best"))
		o.best = best + BEST_LOSS;
	if (!o.io.output)
		cmd_usage("-o OUT is missing");
	cmd_lora_settle(&lora, o.apply);
	o.lora = lora.adapter.rank > 0;
	o.adapter = lora.adapter;
	o.quantize = lora.quantize;
	settle_optimizer();
	settle_sync();
	settle_displacement();
	check_together();
	refuse_idle();
	if (o.lr < 0)
		o.lr = (loss_completions(&o.loss, 2) == 1 ? 2e-5 : 1e-6) * (o.lora ? 10 : 1);
	if (o.config)
		config_folder = path_parent(o.config, &err);
	o.settings = o.folder ? o.folder : config_folder;
	if (!o.settings ||
		(lora.merge ? cmd_merge(o.folder, o.apply, o.io.output, &err) : run_train(&o, &err)))
		cmd_die(&err);
	free(config_folder);
	return 0;
}
