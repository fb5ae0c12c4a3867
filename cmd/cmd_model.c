#include "cmd/cmd_model.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/cmd.h"
#include "io/modeldir.h"
#include "model/apply.h"

int cmd_check_stream(const struct meta *meta, const struct pref_schema *schema, const char *folder,
	const struct model *m, bool allow, struct err *err)
{
	const char *made = meta_get(meta, "tokenizer.sha256");
	char own[65];

	if (schema->text)
		return err_set(err, ERR_MISMATCH, "the stream holds text; tokenize -m %s makes tokens of it", folder);
	if (modeldir_tokenizer_sha256(folder, own, err))
		return -1;
	if (allow)
		return 0;
	if (made && own[0] && strcmp(made, own))
		return err_set(err, ERR_MISMATCH,
			"the stream was made with tokenizer %.12s, %s has %.12s (--allow-mismatch to go on)", made,
			folder, own);
	if (schema->vocab > m->arch.vocab)
		return err_set(err, ERR_MISMATCH,
			"the stream's vocabulary of %lld is larger than the model's of %lld (--allow-mismatch to go on)",
			(long long)schema->vocab, (long long)m->arch.vocab);
	return 0;
}

const char *const cmd_dtype_names[] = {"f32", "bf16", NULL};

const struct ops *cmd_ops(int dtype)
{
	const struct ops *ops = ops_find(dtype ? "half" : "cpu");

	if (!ops)
		cmd_usage("--dtype bf16: this processor does not multiply BF16");
	return ops;
}

const char *const cmd_quantize_names[] = {"none", "int8", "nf4", NULL};

int cmd_open_model(struct model *m, const char *folder, const char *apply, enum model_use use, uint64_t max_payload,
	char base[65], char sha256[65], struct err *err)
{
	char own[65];

	if (model_open(m, folder, use, err) || modeldir_digest(&m->dir, use == MODEL_READ, own, err))
		return -1;
	strcpy(sha256, own);
	if (base)
		strcpy(base, own);
	if (use == MODEL_INT8 || use == MODEL_NF4)
		model_join_digests(sha256, cmd_quantize_names[use == MODEL_INT8 ? 1 : 2]);
	return apply ? model_apply(m, apply, own, sha256, max_payload, err) : 0;
}

int cmd_pack_record(struct pack *p, const struct pref_rec *rec, struct err *err)
{
	int64_t *uncounted = mem_new((size_t)rec->k, sizeof *uncounted, err);
	int rc = uncounted ? 0 : -1;

	for (int i = 0; rc == 0 && i < rec->k; i++)
		uncounted[i] = pref_uncounted(rec, i);
	if (rc == 0)
		rc = pack_add(p, rec->tokens, rec->seg, rec->k, uncounted, err);
	free(uncounted);
	return rc;
}

int64_t cmd_record_logps(const struct pref_rec *rec, const struct logp_row *rows, float *tlogp, float *logp)
{
	int64_t at = 0;

	for (int c = 0; c < rec->k; c++) {
		double sum = 0;

		for (int64_t end = at + pref_counted(rec, c); at < end; at++) {
			sum += rows[at].logp;
			if (tlogp)
				tlogp[at] = rows[at].logp;
		}
		if (logp)
			logp[c] = (float)sum;
	}
	return at;
}

struct pref_rec cmd_with_column(const struct pref_rec *rec, int place, float *logp, float *tlogp)
{
	struct pref_rec out = *rec;

	memmove(out.logp + place + 1, out.logp + place, sizeof *out.logp * (size_t)(PREF_MAX_LOGPS - place - 1));
	memmove(out.tlogp + place + 1, out.tlogp + place, sizeof *out.tlogp * (size_t)(PREF_MAX_LOGPS - place - 1));
	out.logp[place] = logp;
	out.tlogp[place] = tlogp;
	return out;
}
