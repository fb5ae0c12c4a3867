#include "cmd/cmd_decode.h"

#include <string.h>

#include "base/mem.h"
#include "io/prefreader.h"
#include "io/prefwriter.h"
#include "text/prefdecode.h"

static int check(const struct decode_options *o, const struct prefreader *in, struct err *err)
{
	const char *own = tokenizer_sha256(o->tokenizer),
		   *made = meta_get(prefreader_meta(in), "tokenizer.sha256");

	if (prefreader_schema(in)->text)
		return err_set(err, ERR_MISMATCH, "the stream holds text already");
	if (!o->allow_mismatch && made && strcmp(made, own))
		return err_set(err, ERR_MISMATCH,
			"the stream was made with tokenizer %.12s, %s has %.12s (--allow-mismatch "
			"to go on)",
			made, o->folder, own);
	return 0;
}

/* Without what the header says of tokens and of columns that are gone. */
static int describe(const struct decode_options *o, const struct prefreader *in, struct meta *meta,
	struct err *err)
{
	static const char *const of_tokens[] = {"tokenizer.sha256", "boundary", "special",
		"eos.rule", "truncate", "bos", "eos", "max_length", "max_prompt", "vocab"};
	const char *inputs[] = {prefreader_head_sha256(in), tokenizer_sha256(o->tokenizer), NULL};

	if (meta_copy(meta, prefreader_meta(in), err))
		return -1;
	for (size_t i = 0; i < sizeof of_tokens / sizeof *of_tokens; i++)
		meta_remove(meta, of_tokens[i]);
	meta_remove_all(meta, "logp.");
	return cmd_add_prov(o->io, meta, inputs, err);
}

static int decode_records(const struct decode_options *o, struct prefreader *in,
	struct prefwriter *out, struct err *err)
{
	struct prefdecode *p = prefdecode_new(o->tokenizer, o->flags, err);
	struct pref_rec rec, made;
	uint64_t done = 0;
	int rc = p ? 0 : -1;

	cmd_progress_start("records", 0);
	while (rc == 0 && (rc = prefreader_next(in, &rec, err)) == 1) {
		rc = prefdecode_record(p, &rec, &made, err) || prefwriter_add(out, &made, err) ? -1
											       : 0;
		cmd_progress(++done, "%s", "");
	}
	cmd_progress_end();
	prefdecode_free(p);
	return rc;
}

static int decode_stream(const struct decode_options *o, struct prefreader *in, struct err *err)
{
	struct tswriter_options how = cmd_writer_options(o->io);
	const struct pref_schema *from = prefreader_schema(in);
	struct pref_schema schema = {.text = true, .label = from->label, .meta = from->meta};
	struct prefwriter *out = NULL;
	struct meta meta = META_INIT;
	int rc = check(o, in, err) || describe(o, in, &meta, err) ? -1 : 0;

	if (rc == 0 && !(out = prefwriter_open(o->io->output, &meta, &schema, &how, err)))
		rc = -1;
	if (rc == 0)
		rc = decode_records(o, in, out, err);
	if (rc == 0)
		rc = prefwriter_finish(out, prefreader_totals(in), 0, 0, NULL, err);
	if (rc == 0)
		cmd_say("%llu records", (unsigned long long)prefwriter_records(out));
	prefwriter_close(out);
	meta_release(&meta);
	return rc;
}

int decode_streams(const struct decode_options *o, char **paths, int n, struct err *err)
{
	struct tsreader_options how = cmd_reader_options(o->io);
	struct prefreader *in = prefreader_open(paths, n, &how, err);
	int rc = in ? decode_stream(o, in, err) : -1;

	prefreader_close(in);
	return rc;
}
