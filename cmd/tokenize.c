/* tokenize: text records of a stream to token records, and back; or lines of JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "cmd/cmd.h"
#include "cmd/cmd_decode.h"
#include "cmd/cmd_lines.h"
#include "io/conveyor.h"
#include "io/prefreader.h"
#include "io/prefwriter.h"
#include "text/compat.h"
#include "text/prefencode.h"

#define JOB_BYTES ((size_t)1 << 18) /* text that a thread encodes at a time */

static struct cmd_stream io = CMD_STREAM_INIT;
static const char *folder;
static bool encode, decode, decode_ids, special, allow_mismatch;
static int compat = -1, eos, truncate_how, invalid;
static int64_t max_length, max_prompt;

static const char *const eos_names[] = {"auto", "always", "never", NULL};
static const char *const invalid_names[] = {"refuse", "replace", NULL};
static const char *const truncate_names[] = {"keep-end", "keep-start", "drop", "error", NULL};

static const struct cmd_option options[] = {
	{'m', "model", "MODEL", CMD_PATH, &folder, .private = true,
		.help = "folder with tokenizer.json and tokenizer_config.json"},
	{0, "encode", 0, CMD_FLAG, &encode, .help = "JSON lines with text in, with ids out"},
	{0, "decode", 0, CMD_FLAG, &decode, .help = "streams of tokens in, a stream of text out"},
	{0, "decode-ids", 0, CMD_FLAG, &decode_ids,
		.help = "JSON lines with ids in, with text out"},
	{0, "special", 0, CMD_FLAG, &special,
		.help = "encode with the special tokens of the post-processor; decode special "
			"tokens too"},
	{0, "invalid", "HOW", CMD_CHOICE, &invalid, .choices = invalid_names,
		.help = "lines that are not Unicode: refuse (default), replace by U+FFFD"},
	{0, "allow-mismatch", 0, CMD_FLAG, &allow_mismatch,
		.help = "decode another tokenizer's stream"},
	{0, "compat", "RULE", CMD_CHOICE, &compat, .choices = compat_names,
		.help = "boundary, EOS and limits as trl, trl-0.28, dpo-paper, llama-factory, "
			"openrlhf"},
	{0, "eos", "WHEN", CMD_CHOICE, &eos, .choices = eos_names,
		.help = "end completions with EOS: auto (not templates' text; default), always, "
			"never"},
	{0, "max-length", "N", CMD_INT, &max_length, 2, INT32_MAX,
		.help = "tokens of prompt and completion (default: no limit, or the rule's)"},
	{0, "max-prompt", "N", CMD_INT, &max_prompt, 1, INT32_MAX,
		.help = "tokens of a prompt (default: no limit, or the rule's)"},
	{0, "truncate", "HOW", CMD_CHOICE, &truncate_how, .choices = truncate_names,
		.help = "beyond limits: keep-end (default, or the rule's), keep-start, drop, "
			"error"},
	CMD_STREAM_OPTIONS(io),
	{0},
};

static const struct cmd cmd = {
	"tokenize",
	"-m MODEL [-quv] [-@ N] [-l N] [-o FILE] "
	"[--compat trl|trl-0.28|dpo-paper|llama-factory|openrlhf] [--eos auto|always|never] "
	"[--max-block MIB] "
	"[--max-length N] [--max-prompt N] [--no-prov] "
	"[--truncate keep-end|keep-start|drop|error] [FILE ...]\n"
	"--decode -m MODEL [-quv] [-@ N] [-l N] [-o FILE] [--allow-mismatch] [--max-block MIB] "
	"[--no-prov] [--special] [FILE ...]\n"
	"--encode | --decode-ids -m MODEL [-qv] [-@ N] [-o FILE] [--invalid refuse|replace] "
	"[--special] [FILE ...]\n",
	options,
};

static struct tokenizer *load_tokenizer(struct err *err)
{
	struct tokenizer *t = tokenizer_load(folder, err);

	if (t && tokenizer_warning(t))
		cmd_say("%s/tokenizer.json: %s", folder, tokenizer_warning(t));
	if (t && cmd_verbose)
		cmd_say("vocabulary of %d, BOS %d, EOS %d, SHA-256 %s", tokenizer_vocab(t),
			tokenizer_bos(t), tokenizer_eos(t), tokenizer_sha256(t));
	return t;
}

/* ---- streams */

/* Records that one thread encodes; then `kept` of them are to be written. */
struct job {
	struct prefencode *encoder;
	const struct pref_schema *schema; /* of what is written */
	struct arena in, out;
	struct pref_rec *recs, *made;
	size_t n, kept, cap, made_cap;
	uint64_t first; /* number of the first record */
	struct prefencode_ledger ledger;
	struct err err;
	int rc;
};

static void encode_job(void *arg)
{
	struct job *job = arg;
	struct pref_rec made;

	job->kept = 0;
	job->rc = mem_grow(&job->made, &job->made_cap, job->n, sizeof *job->made, &job->err);
	for (size_t i = 0; i < job->n && job->rc == 0; i++) {
		int rc = prefencode_record(
			job->encoder, &job->recs[i], &made, &job->ledger, &job->err);

		if (rc == 1)
			rc = pref_copy(
				&job->made[job->kept++], &made, job->schema, &job->out, &job->err);
		else if (rc < 0)
			err_at(&job->err, "record %llu", (unsigned long long)(job->first + i));
		job->rc = rc;
	}
}

/* Fills a job; false at the end of input or where something failed (*rc is then -1). */
static bool fill_job(
	struct job *job, struct prefreader *in, uint64_t *records, int *rc, struct err *err)
{
	struct pref_rec rec;
	size_t bytes = 0;

	arena_clear(&job->in);
	arena_clear(&job->out);
	job->n = 0;
	job->ledger = (struct prefencode_ledger){0};
	job->first = *records;
	while (bytes < JOB_BYTES && (*rc = prefreader_next(in, &rec, err)) == 1) {
		if (mem_grow(&job->recs, &job->cap, job->n + 1, sizeof *job->recs, err) ||
			pref_copy(&job->recs[job->n], &rec, prefreader_schema(in), &job->in, err)) {
			*rc = -1;
			return false;
		}
		bytes += (size_t)rec.seg[rec.k + 1] + sizeof rec;
		job->n++;
		++*records;
	}
	return job->n > 0 && *rc >= 0;
}

static int write_job(const struct job *job, struct prefwriter *out,
	struct prefencode_ledger *ledger, struct err *err)
{
	if (job->rc) {
		*err = job->err;
		return -1;
	}
	for (size_t i = 0; i < job->kept; i++)
		if (prefwriter_add(out, &job->made[i], err))
			return -1;
	prefencode_add(ledger, &job->ledger);
	cmd_progress(ledger->kept, ", %llu dropped",
		(unsigned long long)(ledger->too_long + ledger->empty));
	return 0;
}

static void free_jobs(struct job *jobs, int n)
{
	for (int i = 0; jobs && i < n; i++) {
		prefencode_free(jobs[i].encoder);
		arena_release(&jobs[i].in);
		arena_release(&jobs[i].out);
		free(jobs[i].recs);
		free(jobs[i].made);
	}
	free(jobs);
}

/* All records from in to out, by several threads, in order. *records: how many there were. */
static int encode_records(struct prefreader *in, struct prefwriter *out,
	const struct pref_schema *schema, const struct tokenizer *t,
	const struct prefencode_rules *rules, struct prefencode_ledger *ledger, uint64_t *records,
	struct err *err)
{
	int threads = io.threads > 1 ? (int)io.threads : 0, n = threads + 1, waiting = 0, next = 0,
	    rc = 0;
	struct job *jobs = mem_new((size_t)n, sizeof *jobs, err), *job;
	struct conveyor *belt = jobs ? conveyor_new(threads, n, encode_job, err) : NULL;
	bool more = true;

	rc = belt ? 0 : -1;
	for (int i = 0; i < n && rc == 0; i++) {
		jobs[i].schema = schema;
		jobs[i].encoder = prefencode_new(t, rules, err);
		if (!jobs[i].encoder)
			rc = err_at(err, "%s", folder);
	}
	cmd_progress_start("records", 0);
	while (rc == 0 && (more || waiting)) {
		if (more && waiting < n) {
			job = &jobs[next];
			next = (next + 1) % n;
			if (fill_job(job, in, records, &rc, err) && conveyor_put(belt, job))
				waiting++;
			more = rc == 1;
			rc = rc < 0 ? -1 : 0;
			continue;
		}
		job = conveyor_take(belt);
		waiting--;
		rc = write_job(job, out, ledger, err);
	}
	cmd_progress_end();
	if (belt)
		conveyor_cancel(belt);
	for (; waiting > 0; waiting--)
		conveyor_take(belt);
	conveyor_free(belt);
	free_jobs(jobs, n);
	return rc;
}

static const char *truncate_name(const struct compat *rule)
{
	return rule && !rule->truncates ? rule->name : truncate_names[truncate_how];
}

static int describe(struct meta *meta, const struct tokenizer *t, bool rendered, const char *input,
	struct err *err)
{
	const char *inputs[] = {input, tokenizer_sha256(t), NULL};
	const struct compat *rule = compat < 0 ? NULL : compat_at(compat);
	bool limited = max_length || max_prompt, added = !rendered && (!rule || rule->special);

	if (meta_set(meta, "tokenizer.sha256", tokenizer_sha256(t), err) ||
		(rule && meta_set(meta, "compat", rule->name, err)) ||
		meta_set(meta, "boundary", rule ? rule->boundary : "joint", err) ||
		meta_set(meta, "special", added ? "post-processor" : "none", err) ||
		meta_set(meta, "eos.rule", rule && rule->eos ? rule->eos : eos_names[eos], err) ||
		meta_set(meta, "truncate", limited ? truncate_name(rule) : "none", err))
		return -1;
	if ((tokenizer_bos(t) >= 0 && meta_set_int(meta, "bos", tokenizer_bos(t), err)) ||
		(tokenizer_eos(t) >= 0 && meta_set_int(meta, "eos", tokenizer_eos(t), err)) ||
		(max_length && meta_set_int(meta, "max_length", max_length, err)) ||
		(max_prompt && meta_set_int(meta, "max_prompt", max_prompt, err)))
		return -1;
	return cmd_add_prov(&io, meta, inputs, err);
}

/* "2 too-long, 1 empty" */
static void put_reasons(char text[64], const struct prefencode_ledger *l)
{
	int n = 0;

	text[0] = '\0';
	if (l->too_long)
		n = snprintf(text, 64, "%llu too-long", (unsigned long long)l->too_long);
	if (l->empty)
		snprintf(text + n, 64 - (size_t)n, "%s%llu empty", n ? ", " : "",
			(unsigned long long)l->empty);
}

static int finish(struct prefwriter *out, const struct tstotals *input,
	const struct prefencode_ledger *l, struct err *err)
{
	const struct {
		const char *key;
		uint64_t n;
	} counts[] = {{"truncated.prompt_tokens", l->cut_prompt},
		{"truncated.completion_tokens", l->cut_completion}, {"truncated.eos", l->eos_lost},
		{"boundary.merged", l->merged}, {"identical", l->identical},
		{"bos.twice", l->bos_twice}, {"plain", l->plain}};
	struct meta extra = META_INIT;
	char reasons[64];
	int rc = 0;

	put_reasons(reasons, l);
	if (*reasons)
		rc = meta_set(&extra, "dropped.reasons", reasons, err);
	for (size_t i = 0; i < sizeof counts / sizeof *counts && rc == 0; i++)
		if (counts[i].n)
			rc = meta_set_int(&extra, counts[i].key, (int64_t)counts[i].n, err);
	if (rc == 0)
		rc = prefwriter_finish(
			out, input, l->too_long + l->empty, l->truncated, &extra, err);
	meta_release(&extra);
	return rc;
}

static void report(const struct prefencode_ledger *l, uint64_t records)
{
	unsigned long long all = records;
	char reasons[64];

	put_reasons(reasons, l);
	if (*reasons)
		cmd_say("%llu of %llu records dropped: %s", all - l->kept, all, reasons);
	if (l->truncated)
		cmd_say("%llu of %llu records truncated: %llu tokens of prompts and %llu of "
			"completions cut off; %llu completions lost their EOS",
			(unsigned long long)l->truncated, all, (unsigned long long)l->cut_prompt,
			(unsigned long long)l->cut_completion, (unsigned long long)l->eos_lost);
	if (l->merged)
		cmd_say("%llu of %llu records with a prompt that by itself has other tokens than "
			"before a completion",
			(unsigned long long)l->merged, all);
	if (l->identical)
		cmd_say("%llu of %llu records with two completions of the same tokens",
			(unsigned long long)l->identical, all);
	if (l->bos_twice)
		cmd_say("%llu of %llu records begin with two BOS tokens",
			(unsigned long long)l->bos_twice, all);
	if (l->plain)
		cmd_say("%llu of %llu records with text of special tokens, which stayed text",
			(unsigned long long)l->plain, all);
	cmd_say("%llu records", (unsigned long long)l->kept);
}

static int convert(const struct tokenizer *t, struct prefreader *in, struct err *err)
{
	struct tswriter_options how = cmd_writer_options(&io);
	bool rendered = meta_get(prefreader_meta(in), "template.sha256");
	struct prefencode_rules rules = {compat < 0 ? NULL : compat_at(compat), rendered,
		(enum prefencode_eos)eos, (enum prefencode_truncate)truncate_how, max_length,
		max_prompt};
	struct pref_schema schema = *prefreader_schema(in);
	struct prefencode_ledger ledger = {0};
	struct meta meta = META_INIT;
	struct prefwriter *out = NULL;
	uint64_t records = 0;
	int rc;

	if (!schema.text)
		return err_set(err, ERR_MISMATCH, "the stream holds tokens, not text");
	schema.text = schema.plain = false;
	schema.vocab = tokenizer_vocab(t);
	schema.cut = max_length || max_prompt;
	rc = meta_copy(&meta, prefreader_meta(in), err) ||
	     describe(&meta, t, rendered, prefreader_head_sha256(in), err);
	if (rc == 0 && !(out = prefwriter_open(io.output, &meta, &schema, &how, err)))
		rc = -1;
	if (rc == 0)
		rc = encode_records(in, out, &schema, t, &rules, &ledger, &records, err);
	if (rc == 0 && records && !ledger.kept)
		rc = err_set(
			err, ERR_FAILED, "no record is left of %llu", (unsigned long long)records);
	if (rc == 0)
		rc = finish(out, prefreader_totals(in), &ledger, err);
	if (rc == 0)
		report(&ledger, records);
	prefwriter_close(out);
	meta_release(&meta);
	return rc ? -1 : 0;
}

static int convert_files(const struct tokenizer *t, char **paths, int n, struct err *err)
{
	struct tsreader_options how = cmd_reader_options(&io);
	struct prefreader *in = prefreader_open(paths, n, &how, err);
	int rc = in ? convert(t, in, err) : -1;

	prefreader_close(in);
	return rc;
}

/* Another project's rule has its own limits, and no others. */
static void take_rule(const struct compat *rule)
{
	char because[64];

	snprintf(because, sizeof because, "with --compat %s", rule->name);
	if (!rule->always && !rule->never)
		cmd_refuse(because, "eos", NULL);
	if (!rule->truncates)
		cmd_refuse(because, "truncate", NULL);
	if (!rule->max_prompt)
		cmd_refuse(because, "max-prompt", NULL);
	if (eos == PREFENCODE_NEVER && !rule->never)
		cmd_usage("--eos never is no part of --compat %s", rule->name);
	if (truncate_how != PREFENCODE_KEEP_END && truncate_how != PREFENCODE_KEEP_START)
		cmd_usage("--truncate %s is no part of --compat %s", truncate_names[truncate_how],
			rule->name);
	if (!cmd_given("truncate"))
		truncate_how = rule->truncate;
	max_length = max_length ? max_length : rule->max_length;
	max_prompt = max_prompt ? max_prompt : rule->max_prompt;
}

static int run(const struct tokenizer *t, char **paths, int n, struct err *err)
{
	struct decode_options how = {
		&io, t, folder, special ? DETOKENIZER_SPECIAL : 0, allow_mismatch};

	struct lines_options lines = {&io, t, decode_ids, 0, invalid == 1};

	if (special)
		lines.flags = decode_ids ? DETOKENIZER_SPECIAL : ENCODE_SPECIAL;
	if (encode || decode_ids)
		return lines_convert(&lines, paths, n, err);
	return decode ? decode_streams(&how, paths, n, err) : convert_files(t, paths, n, err);
}

int main(int argc, char **argv)
{
	int first = cmd_parse(&cmd, argc, argv), rc = -1;
	struct err err = ERR_INIT;
	struct tokenizer *t;

	if (!folder)
		cmd_usage("-m MODEL is missing");
	if (encode + decode + decode_ids > 1)
		cmd_usage("--encode, --decode and --decode-ids exclude each other");
	if (encode || decode_ids)
		cmd_refuse("with --encode and --decode-ids", "stored", "level", "max-block",
			"no-prov", NULL);
	else
		cmd_refuse("without --encode or --decode-ids", "invalid", NULL);
	if (encode || decode || decode_ids)
		cmd_refuse("but where text records are encoded", "compat", "eos", "max-length",
			"max-prompt", "truncate", NULL);
	else
		cmd_refuse("without --encode, --decode or --decode-ids", "special", NULL);
	if (!decode)
		cmd_refuse("without --decode", "allow-mismatch", NULL);
	if (compat >= 0)
		take_rule(compat_at(compat));
	else if (!max_length && !max_prompt)
		cmd_refuse("without --max-length or --max-prompt", "truncate", NULL);
	if (max_length && max_prompt >= max_length && (compat < 0 || compat_at(compat)->within))
		cmd_usage("--max-prompt %lld leaves no room within --max-length %lld",
			(long long)max_prompt, (long long)max_length);
	t = load_tokenizer(&err);
	if (t)
		rc = run(t, argv + first, argc - first, &err);
	tokenizer_free(t);
	if (rc)
		cmd_die(&err);
	return 0;
}
