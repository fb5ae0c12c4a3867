/* ref-logp: adds a model's log-probs to a token stream. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "cmd/cmd_model.h"
#include "io/prefreader.h"
#include "io/prefwriter.h"

static struct cmd_stream io = CMD_STREAM_INIT;
static const char *folder, *apply, *name = "ref";
static int dtype, quantize;
static int64_t batch_tokens = 4096;
static bool no_tokens, allow_mismatch;

static const struct cmd_option options[] = {
	{'m', "model", "MODEL", CMD_PATH, &folder, .help = "folder with config.json and safetensors"},
	{0, "apply", "UPDATE", CMD_PATH, &apply, .help = "compute with this update of MODEL"},
	{0, "as", "NAME", CMD_STRING, &name, .help = "the columns' name: logp.NAME, tlogp.NAME (default ref)"},
	{0, "dtype", "TYPE", CMD_CHOICE, &dtype, .choices = cmd_dtype_names,
		.help = "of matrix products: f32 (default), bf16"},
	{0, "quantize", "TYPE", CMD_CHOICE, &quantize, .choices = cmd_quantize_names,
		.help = "round the layers' matrices to blocks: none (default), int8, nf4"},
	{0, "no-tokens", 0, CMD_FLAG, &no_tokens, .help = "sums only, no tlogp.NAME"},
	{0, "batch-tokens", "N", CMD_INT, &batch_tokens, 1, 1 << 24, .private = true,
		.help = "tokens computed at a time (default 4096)"},
	{0, "allow-mismatch", 0, CMD_FLAG, &allow_mismatch, .help = "go on with another tokenizer's stream"},
	CMD_STREAM_OPTIONS(io),
	{0},
};

static const struct cmd cmd = {"ref-logp",
	"-m MODEL [-quv] [--apply UPDATE] [--as NAME] [--dtype f32|bf16] [--quantize none|int8|nf4] [--no-tokens] [--batch-tokens N] "
	"[--allow-mismatch] [--no-prov] [--max-block MIB] [-@ N] [-l N] [-o FILE] [FILE ...]\n",
	options};

/* Records that wait for the model, and what became of them. */
struct batch {
	struct pref_rec *recs;
	size_t n, cap;
	struct arena arena;
	struct pack pack;
	struct logp_row *rows;
	float *tlogp;
	size_t rows_cap, tlogp_cap;
};

static uint64_t tokens_done, tokens_counted;

static int add(struct batch *b, const struct pref_rec *rec, const struct pref_schema *schema, struct err *err)
{
	if (mem_grow(&b->recs, &b->cap, b->n + 1, sizeof *b->recs, err) ||
		pref_copy(&b->recs[b->n], rec, schema, &b->arena, err) || cmd_pack_record(&b->pack, rec, err))
		return -1;
	b->n++;
	return 0;
}

/* Runs the model over the batch and writes its records. */
static int flush(struct batch *b, struct decoder *d, struct prefwriter *out, int place, struct err *err)
{
	size_t counted = (size_t)b->pack.counted;
	const struct logp_row *rows;
	float logp[PREF_MAX_COMPLETIONS];

	if (!b->n)
		return 0;
	if (mem_grow(&b->rows, &b->rows_cap, counted, sizeof *b->rows, err) ||
		mem_grow(&b->tlogp, &b->tlogp_cap, counted, sizeof *b->tlogp, err))
		return -1;
	if (decoder_forward(d, &b->pack, b->rows, err))
		return err_at(err, "records from %016llx to %016llx", (unsigned long long)b->recs[0].id,
			(unsigned long long)b->recs[b->n - 1].id);
	rows = b->rows;
	for (size_t i = 0; i < b->n; i++) {
		struct pref_rec rec = cmd_with_column(&b->recs[i], place, logp, b->tlogp);

		rows += cmd_record_logps(&b->recs[i], rows, b->tlogp, logp);
		for (int c = 0; c < rec.k; c++)
			if (!isfinite(logp[c]))
				return err_set(err, ERR_FAILED, "record %016llx: the log-prob of completion %d is %g",
					(unsigned long long)rec.id, c + 1, (double)logp[c]);
		if (prefwriter_add(out, &rec, err))
			return -1;
	}
	tokens_done += (uint64_t)b->pack.rows;
	tokens_counted += counted;
	cmd_progress(prefwriter_records(out), ", %llu tokens", (unsigned long long)tokens_done);
	b->n = 0;
	pack_clear(&b->pack);
	arena_clear(&b->arena);
	return 0;
}

static int describe(struct meta *meta, struct pref_schema *schema, const char *model, const char *ops,
	const char *input, struct err *err)
{
	char key[PREF_MAX_NAME + 32], value[64];
	const char *inputs[] = {input, model, NULL};

	if (pref_schema_add(schema, name, !no_tokens, err))
		return -1;
	snprintf(key, sizeof key, "logp.%s.model.sha256", name);
	if (meta_set(meta, key, model, err))
		return -1;
	snprintf(key, sizeof key, "logp.%s.numerics", name);
	snprintf(value, sizeof value, "%s %s", cmd_dtype_names[dtype], ops);
	return meta_set(meta, key, value, err) || cmd_add_prov(&io, meta, inputs, err);
}

static int run(char **paths, int n, struct err *err)
{
	struct tsreader_options in_options = cmd_reader_options(&io);
	struct tswriter_options out_options = cmd_writer_options(&io);
	const struct ops *ops = cmd_ops(dtype);
	struct batch b = {.arena = ARENA_INIT, .pack = PACK_INIT};
	struct model m;
	struct meta meta = META_INIT;
	struct pref_schema schema;
	struct prefreader *in = NULL;
	struct prefwriter *out = NULL;
	struct decoder *d = NULL;
	struct pref_rec rec;
	char sha256[65];
	int rc, place;

	rc = cmd_open_model(&m, folder, apply, cmd_quantize_use(quantize), in_options.max_payload, NULL, sha256, err);
	if (rc == 0 && !(in = prefreader_open(paths, n, &in_options, err)))
		rc = -1;
	if (rc == 0) {
		schema = *prefreader_schema(in);
		rc = cmd_check_stream(prefreader_meta(in), &schema, folder, &m, allow_mismatch, err) ||
			meta_copy(&meta, prefreader_meta(in), err) ||
			describe(&meta, &schema, sha256, ops->name, prefreader_head_sha256(in), err);
	}
	if (rc == 0 && (!(d = decoder_new(&m, ops, DECODER_FORGET, err)) ||
			       !(out = prefwriter_open(io.output, &meta, &schema, &out_options, err))))
		rc = -1;
	if (rc == 0)
		cmd_progress_start("records", 0);
	place = rc ? -1 : pref_schema_find(&schema, name);
	while (rc == 0 && (rc = prefreader_next(in, &rec, err)) == 1) {
		rc = 0;
		if (b.n && b.pack.rows + pack_rows(rec.seg, rec.k) > batch_tokens)
			rc = flush(&b, d, out, place, err);
		rc = rc || add(&b, &rec, prefreader_schema(in), err);
	}
	rc = rc || flush(&b, d, out, place, err) ||
		prefwriter_finish(out, prefreader_totals(in), 0, 0, NULL, err);
	if (rc == 0)
		cmd_say("%llu records, %llu tokens, %llu log-probs of %s", (unsigned long long)prefwriter_records(out),
			(unsigned long long)tokens_done, (unsigned long long)tokens_counted, name);
	prefwriter_close(out);
	if (rc)
		return -1;
	decoder_free(d);
	prefreader_close(in);
	meta_release(&meta);
	model_release(&m);
	pack_release(&b.pack);
	arena_release(&b.arena);
	free(b.recs);
	free(b.rows);
	free(b.tlogp);
	return 0;
}

int main(int argc, char **argv)
{
	int first = cmd_parse(&cmd, argc, argv);
	struct err err = ERR_INIT;

	if (!folder)
		cmd_usage("-m MODEL is missing");
	if (run(argv + first, argc - first, &err))
		cmd_die(&err);
	return 0;
}
