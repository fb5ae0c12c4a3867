/* What the programs that run a model share: does the stream belong to it, and records on their way through it. */
#ifndef CMD_MODEL_H
#define CMD_MODEL_H

#include "io/pref.h"
#include "model/decoder.h"

/*
 * Does a stream of this metadata belong to the model folder? It must hold tokens, made by the folder's own
 * tokenizer and within its vocabulary: ERR_MISMATCH, unless allow (which still asks for tokens).
 */
int cmd_check_stream(const struct meta *meta, const struct pref_schema *schema, const char *folder,
	const struct model *m, bool allow, struct err *err);

/* The option --dtype: in which precision matrices are multiplied. */
extern const char *const cmd_dtype_names[];

/* The operations of that precision; a usage error where the processor has not got them. */
const struct ops *cmd_ops(int dtype);

/* The option --quantize: how the layers' matrices are kept; 0 is not at all. */
extern const char *const cmd_quantize_names[];

static inline enum model_use cmd_quantize_use(int quantize)
{
	return quantize == 2 ? MODEL_NF4 : quantize == 1 ? MODEL_INT8 : MODEL_READ;
}

/*
 * Opens a model, with the update at the path apply unless NULL. sha256: the digest by which streams name it, of
 * folder, use if it rounds, and update together; base: the folder's own, or NULL.
 */
int cmd_open_model(struct model *m, const char *folder, const char *apply, enum model_use use, uint64_t max_payload,
	char base[65], char sha256[65], struct err *err);

/* A record into a pack. */
int cmd_pack_record(struct pack *p, const struct pref_rec *rec, struct err *err);

/*
 * A record's log-probs from rows, those of its counted tokens: tlogp[counted] and their sums, in double,
 * logp[k]. Either may be NULL. Returns how many rows were used.
 */
int64_t cmd_record_logps(const struct pref_rec *rec, const struct logp_row *rows, float *tlogp, float *logp);

/*
 * A view of rec with one more log-prob column, which the schema now has at place. logp and tlogp (or NULL)
 * must live as long.
 */
struct pref_rec cmd_with_column(const struct pref_rec *rec, int place, float *logp, float *tlogp);

#endif
