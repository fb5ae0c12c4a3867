/*
 * The models of tokenizer.json named WordPiece and WordLevel. WordPiece takes the longest token that a word
 * begins with, then the longest that goes on, written with a prefix ("##"); a word with a rest that no token
 * begins, or one too long, is unknown as a whole. WordLevel has whole words only.
 */
#ifndef TEXT_WORDPIECE_H
#define TEXT_WORDPIECE_H

#include "io/json.h"
#include "text/ids.h"
#include "text/vocab.h"

struct wordpiece; /* shared by threads */

/* From the value of "model", which is not needed afterwards. NULL with err set. */
struct wordpiece *wordpiece_new(const struct json *model, struct err *err);
struct wordpiece *wordpiece_new_whole(const struct json *model, struct err *err); /* WordLevel */
void wordpiece_free(struct wordpiece *w);

const struct vocab *wordpiece_vocab(const struct wordpiece *w); /* borrowed */

/*
 * Appends the ids of a word of n bytes, valid UTF-8, to ids, and to ends, unless it is NULL, for each,
 * where in the word it ends. 0, or -1 (ERR_FAILED where the word is unknown and there is no unknown token).
 */
int wordpiece_encode(const struct wordpiece *w, const char *word, size_t n, struct ids *ids,
	struct ids *ends, struct err *err);

#endif
