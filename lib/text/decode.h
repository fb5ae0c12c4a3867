/*
 * The decoder of tokenizer.json: steps from tokens, as the vocabulary writes them, to text. ByteLevel,
 * ByteFallback, Fuse, Metaspace, WordPiece, Replace, Strip, BPEDecoder, CTC and Sequence; without a decoder,
 * tokens are joined by spaces.
 *
 * A text is decoded token by token: what no later token can change comes out at once, and the rest waits,
 * such as half of a character or a run of byte tokens, which is text only if all of it is. All that comes
 * out, one piece after the other, is what the Hugging Face library makes of the whole list.
 */
#ifndef TEXT_DECODE_H
#define TEXT_DECODE_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "io/json.h"
#include "text/pattern.h"

struct decode; /* not changed after it is made: threads may share it */

/* From the value of "decoder", or NULL. NULL with err set: malformed, or not supported. */
struct decode *decode_new(const struct json *v, struct err *err);
void decode_free(struct decode *d);

struct decode_work; /* one text's state */

struct decode_work *decode_work_new(const struct decode *d, struct err *err); /* borrows d */
void decode_work_free(struct decode_work *w);

/* The next token, n bytes of valid UTF-8: appends what is certain then. 0 or -1. */
int decode_token(struct decode_work *w, struct matcher *m, const char *token, size_t n,
	struct buf *out, struct err *err);

/* Appends what has waited, as no token follows; the next one begins a new text. */
int decode_end(struct decode_work *w, struct matcher *m, struct buf *out, struct err *err);

/* Appends what decode_end() would, and changes nothing. */
int decode_peek(struct decode_work *w, struct matcher *m, struct buf *out, struct err *err);

#endif
