/*
 * Text to token ids, as the Hugging Face library "tokenizers" does it from a tokenizer.json: BPE of
 * bytes (GPT-2, Llama 3, Qwen) or of characters with byte fallback (Llama 2, Gemma), Unigram (T5),
 * WordPiece (BERT), WordLevel. What the file asks for and this does not have is an error that names
 * it, never left out.
 *
 *	struct tokenizer *t = tokenizer_load("models/llama", &err);
 *	struct encoder *e = t ? encoder_new(t, &err) : NULL;
 *	struct ids ids = IDS_INIT;
 *
 *	if (e && encoder_encode(e, text, n, ENCODE_SPECIAL, &ids, &err) == 0)
 *		use(ids.v, ids.n);
 *	ids_release(&ids);
 *	encoder_free(e);
 *	tokenizer_free(t);
 *
 * Letters, numbers and marks are those that the installed PCRE2 and utf8proc know (Unicode 14 and
 * 15 in Debian 12); text in scripts newer than that may be split otherwise than by the library,
 * which knows Unicode 16.
 */
#ifndef TEXT_TOKENIZER_H
#define TEXT_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "text/ids.h"

struct tokenizer; /* not changed after it is loaded: threads may share it */
struct encoder;	  /* one thread's memory for encoding, about 2 MiB */

/*
 * Reads folder/tokenizer.json and, where there is one, folder/tokenizer_config.json, of which
 * count: bos_token and eos_token; and add_bos_token and add_eos_token, where tokenizer_class is one
 * for which transformers builds the post-processor from them (Llama, Gemma, Cohere). NULL with err
 * set: ERR_CORRUPT for what is malformed, ERR_FAILED for what is not supported.
 */
struct tokenizer *tokenizer_load(const char *folder, struct err *err);
void tokenizer_free(struct tokenizer *t);

/*
 * What a user should hear about the file, one line, or NULL: that its truncation or padding is not
 * applied (transformers sets both anew for each call), or that an added token got another id than
 * the file says (as the library gives it).
 */
const char *tokenizer_warning(const struct tokenizer *t);

int32_t tokenizer_vocab(const struct tokenizer *t); /* the largest id + 1, added tokens included */
int32_t tokenizer_bos(const struct tokenizer *t);   /* -1: none, or not in the vocabulary */
int32_t tokenizer_eos(const struct tokenizer *t);

/* The EOS token's text, as tokenizer_config.json has it; "" where tokenizer_eos() is -1. */
const char *tokenizer_eos_text(const struct tokenizer *t, size_t *n);

/* How many tokens the post-processor puts in front of a text. */
size_t tokenizer_leading(const struct tokenizer *t);

/*
 * The id of the token with that content (in a byte-level vocabulary, as it is written there), or
 * -1.
 */
int32_t tokenizer_id(const struct tokenizer *t, const char *content, size_t n);

/* The SHA-256 of the bytes of tokenizer.json in hexadecimal. */
const char *tokenizer_sha256(const struct tokenizer *t);

struct encoder *encoder_new(const struct tokenizer *t, struct err *err); /* borrows t */
void encoder_free(struct encoder *e);

#define ENCODE_SPECIAL 1u /* with the tokens that the post-processor adds, such as BOS and EOS */

/*
 * Appends the ids of n bytes of text, which must be valid UTF-8, may hold zero bytes, and be at
 * most 1 GiB. 0, or -1 with *out as it was.
 */
int encoder_encode(struct encoder *e, const char *text, size_t n, unsigned flags, struct ids *out,
	struct err *err);

/*
 * As encoder_encode, and *before becomes how many of the appended ids belong to the first `place`
 * bytes of the text: they end at or before that place, or stand before all text. A token made of
 * characters on both sides of it does not count, nor what comes after that.
 *
 * Bytes for which plain, n long, has 1 are never part of an added token; all else is done as
 * without it. NULL: all may be.
 */
int encoder_encode_at(struct encoder *e, const char *text, const uint8_t *plain, size_t n,
	size_t place, unsigned flags, struct ids *out, size_t *before, struct err *err);

#endif
