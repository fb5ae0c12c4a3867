/* lm-sample: continues prompts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/cmd.h"
#include "cmd/cmd_completions.h"
#include "cmd/cmd_model.h"
#include "cmd/cmd_prompts.h"
#include "text/specials.h"

static struct cmd_stream io = CMD_STREAM_INIT;
static const char *folder, *apply;
static int dtype, kind, quantize;
static int64_t samples = 1, max_new = 256, top_k, seed, batch = 16, max_mem;
static double temperature = 1, top_p = 1, min_p, repetition = 1;
static struct cmd_strings stop_texts;
static bool json, no_tokens, allow_mismatch;

static const char *const kinds[] = {"stream", "jsonl", "lines", NULL};

static const struct cmd_option options[] = {
	{'m', "model", "MODEL", CMD_PATH, &folder, .help = "folder with config.json, safetensors and, for text, tokenizer.json"},
	{0, "apply", "UPDATE", CMD_PATH, &apply, .help = "sample with this update of MODEL"},
	{0, "dtype", "TYPE", CMD_CHOICE, &dtype, .choices = cmd_dtype_names,
		.help = "of matrix products: f32 (default), bf16"},
	{0, "quantize", "TYPE", CMD_CHOICE, &quantize, .choices = cmd_quantize_names,
		.help = "round the layers' matrices to blocks: none (default), int8, nf4"},
	{'n', "samples", "K", CMD_INT, &samples, 1, PREF_MAX_COMPLETIONS, .help = "completions of each prompt (default 1)"},
	{0, "input", "KIND", CMD_CHOICE, &kind, .choices = kinds,
		.help = "prompts are a stream's (default), JSON lines with \"prompt\", or plain lines"},
	{0, "jsonl", 0, CMD_FLAG, &json, .help = "write text as JSON lines, not tokens as a stream"},
	{0, "max-new", "N", CMD_INT, &max_new, 1, INT32_MAX, .help = "tokens of a completion at most (default 256)"},
	{0, "stop", "TEXT", CMD_STRINGS, &stop_texts, .help = "end a completion before this text; may be given again"},
	{0, "temperature", "X", CMD_REAL, &temperature, 0, 1000, .help = "divide logits; 0: take the likeliest (default 1)"},
	{0, "top-k", "N", CMD_INT, &top_k, 1, INT32_MAX, .help = "choose among the N likeliest (default: all)"},
	{0, "top-p", "P", CMD_REAL, &top_p, 1e-9, 1, .help = "choose among the likeliest that make up P (default 1: all)"},
	{0, "min-p", "P", CMD_REAL, &min_p, 0, 1,
		.help = "leave out what is less than P times as likely as the likeliest (default 0)"},
	{0, "repetition-penalty", "X", CMD_REAL, &repetition, 0.01, 100,
		.help = "make tokens that occurred less likely: above 1 (default 1)"},
	{0, "seed", "N", CMD_INT, &seed, 0, 9e15, .help = "of all random numbers (default 0)"},
	{0, "batch", "N", CMD_INT, &batch, 1, 65536, .private = true, .help = "sequences at a time (default 16)"},
	{0, "max-mem", "MIB", CMD_INT, &max_mem, 1, 1 << 30, .private = true,
		.help = "refuse to use more memory, in MiB (default: what the machine has)"},
	{0, "no-tokens", 0, CMD_FLAG, &no_tokens, .help = "sums only, no tlogp.sample"},
	{0, "allow-mismatch", 0, CMD_FLAG, &allow_mismatch, .help = "go on with another tokenizer's stream"},
	CMD_STREAM_OPTIONS(io),
	{0},
};

static const struct cmd cmd = {"lm-sample",
	"-m MODEL [-quv] [--apply UPDATE] [--dtype f32|bf16] [--quantize none|int8|nf4] [-n K] [--input stream|jsonl|lines] "
	"[--jsonl] [--max-new N] [--stop TEXT] [--temperature X] [--top-k N] [--top-p P] [--min-p P] "
	"[--repetition-penalty X] [--seed N] [--batch N] "
	"[--max-mem MIB] [--no-tokens] [--allow-mismatch] [--no-prov] [--max-block MIB] [-@ N] [-l N] [-o FILE] "
	"[FILE ...]\n",
	options};

struct run {
	struct model model;
	char sha256[65];
	struct cmd_prompts in;
	struct cmd_completions out;
	struct ids eos;
	struct stops stops; /* without those that are a token */
	const char *stop[CMD_MAX_STRINGS];
	struct stopwatch *watch; /* [batch] */
	struct generate_totals totals;
};

/* ---- what ends a completion */

/* A number, or a list of numbers. */
static int add_ids(struct ids *ids, const struct json *v, const char *where, struct err *err)
{
	const struct json *one = json_kind(v) == JSON_ARRAY ? json_first(v) : v;
	int64_t id;

	for (; one; one = v == one ? NULL : json_next(one)) {
		if (!json_int(one, &id) || id < 0 || id > INT32_MAX)
			return err_set(err, ERR_CORRUPT, "%s: eos_token_id is no token", where);
		if (ids_add(ids, (int32_t)id, err))
			return -1;
	}
	return 0;
}

/* As transformers: generation_config.json's, or else config.json's; where neither says, the tokenizer's. */
static int find_eos(struct run *r, struct err *err)
{
	char *path = path_join(folder, "generation_config.json", err);
	struct json *generation = NULL;
	const struct json *v;
	int rc = path ? 0 : -1;

	if (rc == 0 && access(path, F_OK) == 0 && !(generation = json_load(path, (size_t)1 << 20, err)))
		rc = -1;
	v = json_get(generation, "eos_token_id");
	if (rc == 0 && json_kind(v) > JSON_NULL)
		rc = add_ids(&r->eos, v, path, err);
	else if (rc == 0 && json_kind(json_get(r->model.dir.config, "eos_token_id")) > JSON_NULL)
		rc = add_ids(&r->eos, json_get(r->model.dir.config, "eos_token_id"), folder, err);
	else if (rc == 0 && r->in.tokenizer && tokenizer_eos(r->in.tokenizer) >= 0)
		rc = ids_add(&r->eos, tokenizer_eos(r->in.tokenizer), err);
	json_free(generation);
	free(path);
	return rc;
}

/* A special token is no text: one that is to stop is another EOS. The others are watched for. */
static int find_stops(struct run *r, struct err *err)
{
	struct specials specials = SPECIALS_INIT;
	int rc = stop_texts.n ? specials_load(&specials, folder, err) : 0;

	r->stops.text = r->stop;
	for (size_t i = 0; i < stop_texts.n && rc == 0; i++) {
		const char *text = stop_texts.v[i];
		size_t n = strlen(text);

		if (n && specials_match(&specials, text, n) == n && tokenizer_id(r->in.tokenizer, text, n) >= 0)
			rc = ids_add(&r->eos, tokenizer_id(r->in.tokenizer, text, n), err);
		else
			r->stop[r->stops.n++] = text;
	}
	specials_release(&specials);
	if (rc || !r->stops.n)
		return rc;
	r->watch = mem_new((size_t)batch, sizeof *r->watch, err);
	for (int64_t i = 0; r->watch && i < batch && rc == 0; i++)
		rc = stopwatch_open(&r->watch[i], &r->stops, r->in.tokenizer, err);
	return r->watch ? rc : -1;
}

/* ---- generate()'s questions */

static int next_prompt(void *context, struct generate_prompt *to, struct err *err)
{
	struct run *r = context;
	struct cmd_prompt p;
	struct cmd_asked *asked;
	int rc = cmd_prompts_next(&r->in, &p, err);
	char *bytes;

	if (rc != 1)
		return rc;
	asked = mem_new(sizeof *asked + p.len + p.meta_len, 1, err);
	if (!asked)
		return -1;
	bytes = (char *)(asked + 1);
	if (p.text)
		*asked = (struct cmd_asked){.text = memcpy(bytes, p.text, p.len), .text_len = p.len};
	if (p.meta) {
		asked->meta = memcpy(bytes + p.len, p.meta, p.meta_len);
		asked->meta_len = p.meta_len;
	}
	*to = (struct generate_prompt){p.id, p.token, p.n, asked};
	return 1;
}

static int is_stop(void *context, int64_t seat, const int32_t *token, int64_t prompt, int64_t n, struct err *err)
{
	struct run *r = context;
	struct stopwatch *w = &r->watch[seat];

	if (n == prompt + 1 && stopwatch_start(w, token, prompt, err))
		return -1;
	return stopwatch_token(w, token[n - 1], err);
}

static int take(void *context, const struct generated *g, struct err *err)
{
	struct run *r = context;

	cmd_progress(r->totals.end[0] + r->totals.end[1] + r->totals.end[2], ", %llu tokens",
		(unsigned long long)r->totals.tokens);
	return cmd_completions_add(&r->out, g, err);
}

/* ---- the run */

static int describe(struct run *r, struct meta *meta, struct err *err)
{
	static const char *const of_completions[] = {"boundary", "eos.rule", "truncate", "max_length"};
	const struct prefreader *stream = r->in.stream;
	const char *inputs[] = {stream ? prefreader_head_sha256(stream) : r->sha256, stream ? r->sha256 : NULL, NULL};
	char numerics[64], own[65];

	if (stream && meta_copy(meta, prefreader_meta(stream), err))
		return -1;
	for (size_t i = 0; i < sizeof of_completions / sizeof *of_completions; i++)
		meta_remove(meta, of_completions[i]);
	meta_remove_all(meta, "logp.");
	snprintf(numerics, sizeof numerics, "%s %s", cmd_dtype_names[dtype], cmd_ops(dtype)->name);
	if (modeldir_tokenizer_sha256(folder, own, err) ||
		(*own && !meta_get(meta, "tokenizer.sha256") && meta_set(meta, "tokenizer.sha256", own, err)) ||
		meta_set(meta, "logp.sample.model.sha256", r->sha256, err) ||
		meta_set(meta, "logp.sample.numerics", numerics, err))
		return -1;
	return cmd_add_prov(&io, meta, inputs, err);
}

static int open_output(struct run *r, struct err *err)
{
	struct tswriter_options how = cmd_writer_options(&io);
	struct meta meta = META_INIT;
	int rc;

	if (json)
		return cmd_completions_open_json(&r->out, io.output, r->in.tokenizer, &r->stops, err);
	rc = describe(r, &meta, err) || cmd_completions_open_stream(&r->out, io.output, &meta, r->model.arch.vocab,
						no_tokens, (int)samples, &how, err)
		? -1
		: 0;
	meta_release(&meta);
	return rc;
}

/* Says what memory the run takes, and leaves what there is beyond that to keys and values. */
static int plan(struct generate_options *o, struct err *err)
{
	double have = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE), mib = 1 << 20;
	double most = max_mem ? (double)max_mem * mib : have;
	double first = (double)generate_memory_of(o, 1), need;
	size_t bytes;

	if (generate_memory(o, &bytes, err))
		return -1;
	need = (double)(bytes + model_memory(o->model));
	cmd_say("%.1f M parameters, %lld sequences at a time; %.1f MiB of memory, and %.2f for each %d tokens of a sequence",
		(double)o->model->params.count / 1e6, (long long)o->batch, need / mib, first / mib, PAST_PAGE);
	if (need + 2 * first > most)
		return err_set(err, ERR_LIMIT, "%.1f MiB of memory are needed, %s %.1f", (need + 2 * first) / mib,
			max_mem ? "--max-mem allows" : "the machine has", most / mib);
	o->memory = (size_t)(most - need);
	return 0;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void report(const struct generate_totals *t, double seconds)
{
	uint64_t completions = t->end[GENERATE_EOS] + t->end[GENERATE_STOP] + t->end[GENERATE_LENGTH];

	cmd_say("%llu prompts of %llu tokens; %llu completions: %llu ended with EOS, %llu at a stop, %llu by length",
		(unsigned long long)t->prompts, (unsigned long long)t->prompt_tokens, (unsigned long long)completions,
		(unsigned long long)t->end[GENERATE_EOS], (unsigned long long)t->end[GENERATE_STOP],
		(unsigned long long)t->end[GENERATE_LENGTH]);
	/* The prompts' passes give each completion its first token. */
	cmd_say("%llu tokens in %.1f s, %.1f a second; %.1f sequences at a time", (unsigned long long)t->tokens, seconds,
		(double)t->tokens / seconds, t->steps ? (double)(t->tokens - completions) / (double)t->steps : 0.0);
}

static int run(char **paths, int n, struct err *err)
{
	struct tsreader_options how = cmd_reader_options(&io);
	struct run r = {.in = {.folder = folder, .tokenizes = json || stop_texts.n, .kind = (enum cmd_prompts_kind)kind,
				.paths = paths, .n = n},
		.out = CMD_COMPLETIONS_INIT};
	struct generate_options o = {.model = &r.model, .ops = cmd_ops(dtype),
		.rules = {repetition, temperature, top_k, top_p, min_p}, .seed = (uint64_t)seed, .k = (int)samples,
		.max_new = max_new, .batch = batch, .next = next_prompt, .take = take, .context = &r};
	const struct pref_schema *schema;
	double start;

	if (cmd_open_model(&r.model, folder, apply, cmd_quantize_use(quantize), how.max_payload, NULL, r.sha256, err) ||
		(dtype && model_halve(&r.model, err)))
		return -1;
	r.in.positions = r.model.arch.positions;
	if (cmd_prompts_open(&r.in, &how, err))
		return -1;
	schema = r.in.stream ? prefreader_schema(r.in.stream) : NULL;
	if (schema && !schema->text &&
		cmd_check_stream(prefreader_meta(r.in.stream), schema, folder, &r.model, allow_mismatch, err))
		return -1;
	if (find_eos(&r, err) || find_stops(&r, err))
		return -1;
	o.eos = r.eos.v;
	o.eoses = r.eos.n;
	o.stop = r.stops.n ? is_stop : NULL;
	if (plan(&o, err) || open_output(&r, err))
		return -1;
	start = now();
	cmd_progress_start("completions", 0);
	if (generate(&o, &r.totals, err) ||
		cmd_completions_finish(&r.out, r.in.stream ? prefreader_totals(r.in.stream) : NULL, err))
		return -1;
	cmd_progress_end();
	report(&r.totals, now() - start);
	cmd_completions_close(&r.out);
	for (int64_t i = 0; r.watch && i < batch; i++)
		stopwatch_close(&r.watch[i]);
	free(r.watch);
	ids_release(&r.eos);
	cmd_prompts_close(&r.in);
	model_release(&r.model);
	return 0;
}

int main(int argc, char **argv)
{
	int first = cmd_parse(&cmd, argc, argv);
	struct err err = ERR_INIT;

	if (!folder)
		cmd_usage("-m MODEL is missing");
	if (temperature == 0)
		cmd_refuse("with --temperature 0", "samples", "top-k", "top-p", "min-p", "seed", NULL);
	if (json)
		cmd_refuse("with --jsonl", "no-tokens", "no-prov", "stored", "level", NULL);
	if (kind != PROMPTS_STREAM)
		cmd_refuse("on text", "allow-mismatch", NULL);
	if (kind != PROMPTS_STREAM && !apply)
		cmd_refuse("on text", "max-block", NULL);
	for (size_t i = 0; i < stop_texts.n; i++)
		if (!*stop_texts.v[i])
			cmd_usage("--stop: the text is empty");
	if (run(argv + first, argc - first, &err))
		cmd_die(&err);
	return 0;
}
