/*
 * Token ids to text, as the Hugging Face library decodes them, whole or one token after the other:
 *
 *	struct decoder *d = decoder_new(t, 0, &err);
 *	struct buf text = BUF_INIT;
 *
 *	while (generating && decoder_put(d, id, &text, &err) == 0)
 *		look(text.data, text.len);         each call appends what no later token can change
 *	decoder_end(d, &text, &err);               what has waited; the next token begins a new text
 *	decoder_free(d);
 *
 * A token may wait for the next one: it holds half of a character, or (with byte fallback, such as Llama 2's
 * newline, "<0x0A>") is one of a run of bytes. Who looks for a stop string adds what decoder_peek() tells.
 *
 * Bytes that make no character become U+FFFD. Ids that the tokenizer does not have are passed over, as the
 * library does. A special token that a normalizer changes (Llama 2's "<s>") is passed over where special
 * tokens are; the library's version 0.23 shows it.
 */
#ifndef TEXT_DECODER_H
#define TEXT_DECODER_H

#include "base/buf.h"
#include "text/tokenizer.h"

struct decoder; /* one thread's, and one text's */

#define DECODE_SPECIAL 1u /* special tokens are text too; without it they are passed over */

struct decoder *decoder_new(const struct tokenizer *t, unsigned flags, struct err *err); /* borrows t */
void decoder_free(struct decoder *d);

/* Appends the text that is certain after one more token. 0 or -1. */
int decoder_put(struct decoder *d, int32_t id, struct buf *out, struct err *err);

/* Appends what has waited, and begins a new text. */
int decoder_end(struct decoder *d, struct buf *out, struct err *err);

/* Appends what decoder_end() would, and changes nothing. */
int decoder_peek(struct decoder *d, struct buf *out, struct err *err);

/* Appends the text of n tokens: decoder_put() for each, and decoder_end(). */
int decoder_decode(struct decoder *d, const int32_t *ids, size_t n, struct buf *out, struct err *err);

#endif
