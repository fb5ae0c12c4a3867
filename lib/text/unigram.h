/*
 * The model of tokenizer.json named Unigram, as SentencePiece has it (Kudo 2018): a word to the tokens whose
 * scores, logarithms of probabilities, have the largest sum (Viterbi). A character that no token is made of
 * alone counts as unknown, ten less than the lowest score; unknown ones side by side are one token, or their
 * bytes' tokens with byte fallback. A word of n characters takes n steps, each as long as the longest token.
 *
 * Shared by threads; each has a struct unigram_work.
 */
#ifndef TEXT_UNIGRAM_H
#define TEXT_UNIGRAM_H

#include "io/json.h"
#include "text/ids.h"
#include "text/vocab.h"

struct unigram;
struct unigram_work;

/* From the value of "model", which is not needed afterwards. NULL with err set. */
struct unigram *unigram_new(const struct json *model, struct err *err);
void unigram_free(struct unigram *u);

const struct vocab *unigram_vocab(const struct unigram *u); /* borrowed */
size_t unigram_size(const struct unigram *u); /* entries, the same token twice included */

struct unigram_work *unigram_work_new(struct err *err);
void unigram_work_free(struct unigram_work *w);

/*
 * Appends the ids of a word of n bytes, valid UTF-8, to ids, and to ends, unless it is NULL, for each,
 * where in the word it ends. 0, or -1 (ERR_FAILED where something is unknown and there is no unknown token).
 */
int unigram_encode(const struct unigram *u, struct unigram_work *w, const char *word, size_t n,
	struct ids *ids, struct ids *ends, struct err *err);

#endif
