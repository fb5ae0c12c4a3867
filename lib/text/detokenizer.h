/*
 * Token ids to text, as the Hugging Face library decodes them, whole or one token after the other:
 *
 *	struct detokenizer *d = detokenizer_new(t, 0, &err);
 *	struct buf text = BUF_INIT;
 *
 *	while (generating && detokenizer_put(d, id, &text, &err) == 0)
 *		look(text.data, text.len);         each call appends what no later token can change
 *	detokenizer_end(d, &text, &err);               what has waited; the next token begins a new text
 *	detokenizer_free(d);
 *
 * A token may wait for the next one: it holds half of a character, or (with byte fallback, such as Llama 2's
 * newline, "<0x0A>") is one of a run of bytes. Who looks for a stop string adds what detokenizer_peek() tells.
 *
 * Bytes that make no character become U+FFFD. Ids that the tokenizer does not have are passed over, as the
 * library does. A special token that a normalizer changes (Llama 2's "<s>") is passed over where special
 * tokens are; the library's version 0.23 shows it.
 */
#ifndef TEXT_DETOKENIZER_H
#define TEXT_DETOKENIZER_H

#include "base/buf.h"
#include "text/tokenizer.h"

struct detokenizer; /* one thread's, and one text's */

#define DETOKENIZER_SPECIAL 1u /* special tokens are text too; without it they are passed over */

struct detokenizer *detokenizer_new(
	const struct tokenizer *t, unsigned flags, struct err *err); /* borrows t */
void detokenizer_free(struct detokenizer *d);

/* Appends the text that is certain after one more token. 0 or -1. */
int detokenizer_put(struct detokenizer *d, int32_t id, struct buf *out, struct err *err);

/* Appends what has waited, and begins a new text. */
int detokenizer_end(struct detokenizer *d, struct buf *out, struct err *err);

/* Appends what detokenizer_end() would, and changes nothing. */
int detokenizer_peek(struct detokenizer *d, struct buf *out, struct err *err);

/* Appends the text of n tokens: detokenizer_put() for each, and detokenizer_end(). */
int detokenizer_decode(
	struct detokenizer *d, const int32_t *ids, size_t n, struct buf *out, struct err *err);

#endif
