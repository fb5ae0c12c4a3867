/*
 * The normalizer of tokenizer.json: steps that rewrite a piece of text. All those of the Hugging Face
 * library: Prepend, Replace, NFC, NFD, NFKC, NFKD, Lowercase, Strip, StripAccents, Nmt, Precompiled, ByteLevel,
 * BertNormalizer and Sequence. Characters that Unicode has got
 * since version 10 are left alone by the normal forms, as the Hugging Face library leaves them.
 */
#ifndef TEXT_NORMALIZE_H
#define TEXT_NORMALIZE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "io/json.h"
#include "text/pattern.h"

/*
 * Places that are followed through a rewriting: each is a number of bytes, and becomes how many of
 * the new text's bytes come from those. 0 stays 0. What is made of a stretch with a place inside it
 * comes after. And marks of bytes, which what is made of them inherits.
 */
struct places {
	size_t at[2];
	const uint8_t *plain; /* of each byte of the text; NULL: nowhere */
	struct buf *made;     /* where `plain` of the new text is put */
};

/* While text is rewritten from `old`: n bytes from `from` were copied to `to`. */
void places_copy(struct places *p, const struct places *old, size_t from, size_t n, size_t to);

/* Likewise: n bytes from `from` (0: an insertion) were replaced by `made` bytes at `to`. */
void places_replace(
	struct places *p, const struct places *old, size_t from, size_t n, size_t to, size_t made);

/* A rewriting of text may not make it longer than this, in bytes. */
#define NORMALIZE_MAX ((size_t)1 << 31)

struct normalize;

/*
 * From the value of "normalizer": NULL or null does nothing. NULL with err set: malformed, or not
 * supported.
 */
struct normalize *normalize_new(const struct json *v, struct err *err);
void normalize_free(struct normalize *z);

/* Memory for one thread's work, reused from call to call. */
struct normalize_work {
	struct buf text[2], plain[2];
	int32_t *points;
	size_t cap;
};

#define NORMALIZE_WORK_INIT                                                                        \
	{                                                                                          \
		.points = NULL                                                                     \
	}

void normalize_work_release(struct normalize_work *w);

/*
 * Normalizes *n bytes of valid UTF-8 at *text, which then point to the result: in w until the next
 * call, or still what they were where nothing changed. places follow. 0 or -1.
 */
int normalize_run(const struct normalize *z, struct normalize_work *w, struct matcher *m,
	const char **text, size_t *n, struct places *places, struct err *err);

#endif
