/*
 * Preference records: a prompt with k completions, best first where there is an order, as they stand in
 * the blocks of a stream (tstream(5), "Schemas"). k = 2 is a preference pair; k = 1 serves supervised
 * text, unpaired labels and generated samples; k > 2 is a ranking.
 *
 * A stream's schema says which columns every record has; a record is a view of one place in a block.
 */
#ifndef IO_PREF_H
#define IO_PREF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "io/meta.h"
#include "io/safetensors.h"

#define PREF_MAX_LOGPS 16
#define PREF_MAX_NAME 40 /* bytes of a column's name, the zero byte included */
#define PREF_MAX_COMPLETIONS 4096
#define PREF_LOGP_MAX 1e-4f /* the largest log-prob that rounding can explain */

struct pref_schema {
	bool text;	       /* segments are UTF-8 text instead of tokens */
	bool label, cut, meta; /* which optional columns there are */
	bool plain;	       /* of text alone */
	int nlogps;
	char logp[PREF_MAX_LOGPS][PREF_MAX_NAME]; /* NAME of logp.NAME, sorted */
	bool tlogp[PREF_MAX_LOGPS];		  /* is there a tlogp.NAME too? */
	int64_t vocab;				  /* tokens are below it; 0: not known */
};

/* Segment 0 is the prompt, segment i + 1 completion i; segment s holds elements seg[s] to seg[s + 1]. */
struct pref_rec {
	uint64_t id;
	int k;
	const int64_t *seg;    /* [k + 2] */
	const char *text;      /* pref.text: seg counts its bytes */
	const uint8_t *plain;  /* for each of those: 1 where no special token is to be seen; NULL: nowhere */
	const int32_t *tokens; /* otherwise: seg counts these */
	const int32_t
		*skip; /* [k] leading tokens of a completion that carry no loss; NULL in text */
	const float *label; /* [k] or NULL */
	const int32_t *cut; /* [k][2] tokens cut off prompt and completion, or NULL */
	const char *
		meta; /* other fields as a JSON object, meta_len bytes; NULL where there are none */
	size_t meta_len;
	const float *logp[PREF_MAX_LOGPS];  /* [k], natural logarithm, summed over counted tokens */
	const float *tlogp[PREF_MAX_LOGPS]; /* per counted token, completions in order; or NULL */
};

/* What the metadata says (keys `schema`, `columns`, `vocab`); ERR_MISMATCH for other schemas. */
int pref_schema_get(struct pref_schema *s, const struct meta *meta, struct err *err);

/* The same into metadata; what else is there stays. */
int pref_schema_put(const struct pref_schema *s, struct meta *meta, struct err *err);

/* The place of logp.NAME, or -1. pref_schema_need: with ERR_MISMATCH, which says what there is. */
int pref_schema_find(const struct pref_schema *s, const char *name);
int pref_schema_need(const struct pref_schema *s, const char *name, struct err *err);

/*
 * Adds a log-prob column; the places of columns may move. ERR_MISMATCH if it is there already; ERR_USAGE
 * if name is not made of 1 to 39 letters, digits, '_' and '-'.
 */
int pref_schema_add(struct pref_schema *s, const char *name, bool tlogp, struct err *err);

static inline int64_t pref_len(const struct pref_rec *r, int segment)
{
	return r->seg[segment + 1] - r->seg[segment];
}

/*
 * Tokens of completion i that carry no loss: its skip, and at least one where the prompt is empty,
 * since nothing comes before that token. At most the completion's length.
 */
static inline int64_t pref_uncounted(const struct pref_rec *r, int i)
{
	int64_t n = r->skip ? r->skip[i] : 0, len = pref_len(r, i + 1);

	if (n == 0 && pref_len(r, 0) == 0)
		n = 1;
	return n < len ? n : len;
}

/* Tokens of completion i that carry loss. */
static inline int64_t pref_counted(const struct pref_rec *r, int i)
{
	return pref_len(r, i + 1) - pref_uncounted(r, i);
}

/* Where tlogp of completion i starts. */
int64_t pref_tlogp_start(const struct pref_rec *r, int i);

/* A deep copy in the arena; s tells which columns there are. */
int pref_copy(struct pref_rec *to, const struct pref_rec *from, const struct pref_schema *s,
	struct arena *arena, struct err *err);

/* The id that a record gets where its source has none: of all its segments, canonically. */
int pref_make_id(struct pref_rec *r, struct err *err);

/* ---- blocks */

/* The columns of one parsed block; pointers into its payload. */
struct pref_block {
	const struct pref_schema *schema;
	uint32_t n;
	const uint64_t *id;
	const int64_t *rec, *seg, *meta_off;
	const char *text, *meta;
	const uint8_t *plain;
	const int32_t *tokens, *skip, *cut;
	const float *label, *logp[PREF_MAX_LOGPS], *tlogp[PREF_MAX_LOGPS];
	int64_t *tlogp_at; /* where each record's tlogp starts; [n + 1]; from malloc */
};

/*
 * Checks a block of n records against the schema: exactly its columns, offsets that start at 0 and never
 * fall, 0 <= token < vocab, log-probs finite and <= 1e-4, counts that agree. ERR_CORRUPT names tensor
 * and place. The payload must outlive b. Release b in any case.
 */
int pref_block_open(struct pref_block *b, const struct pref_schema *schema,
	const struct safetensors *doc, const uint8_t *payload, uint32_t n, struct err *err);
void pref_block_release(struct pref_block *b);

/* Record i < n, as a view into the block. */
void pref_block_get(const struct pref_block *b, uint32_t i, struct pref_rec *r);

#endif
