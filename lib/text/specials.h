/*
 * The special tokens of a model, as text: what a tokenizer takes for one token wherever it stands, such as
 * "<|im_end|>" in the middle of somebody's message.
 */
#ifndef TEXT_SPECIALS_H
#define TEXT_SPECIALS_H

#include <stddef.h>

#include "base/err.h"

struct specials {
	char **token; /* zero-terminated */
	size_t *len;
	size_t n;
};

#define SPECIALS_INIT {.n = 0}

/*
 * Of a model folder: the tokens that tokenizer_config.json ("added_tokens_decoder") or else tokenizer.json
 * ("added_tokens") call special. Neither file: none. Release s in any case.
 */
int specials_load(struct specials *s, const char *folder, struct err *err);
void specials_release(struct specials *s);

/* The same tokens as they stand within a JSON string. Release to in any case. */
int specials_escape(struct specials *to, const struct specials *from, struct err *err);

/* The longest of them that text, of n bytes, begins with: its length, or 0. */
size_t specials_match(const struct specials *s, const char *text, size_t n);

/* The first one in the text: where, with its length; n where there is none. */
size_t specials_find(const struct specials *s, const char *text, size_t n, size_t *len);

#endif
