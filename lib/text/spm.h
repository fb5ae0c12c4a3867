/*
 * SentencePiece's tokenizer.model: a protocol buffer with pieces, their scores and kinds, and a few settings
 * (sentencepiece_model.proto). Only what a tokenizer needs is read; the rest is passed over.
 */
#ifndef TEXT_SPM_H
#define TEXT_SPM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum spm_type { SPM_NORMAL = 1, SPM_UNKNOWN, SPM_CONTROL, SPM_USER_DEFINED, SPM_UNUSED, SPM_BYTE };

struct spm_piece {
	const char *text; /* n bytes of valid UTF-8, within the file */
	size_t n;
	float score;
	enum spm_type type;
};

struct spm {
	struct spm_piece *pieces;
	size_t n, cap;
	bool bpe;	       /* else Unigram */
	int64_t unk, bos, eos; /* ids; -1: none */
	const char *charsmap;  /* precompiled, charsmap_n bytes; NULL where there is none */
	size_t charsmap_n;
	bool dummy_prefix; /* a space goes before the text */
};

/* From the bytes of the file, which must outlive it. Release s in any case. 0, or -1 (ERR_CORRUPT). */
int spm_parse(struct spm *s, const void *bytes, size_t n, struct err *err);
void spm_release(struct spm *s);

#endif
