/*
 * The model of tokenizer.json named BPE: a word, already split off, to ids. Characters become
 * symbols (by byte fallback or as unknown where the vocabulary lacks them), then the pair of
 * neighbours with the lowest rank is merged, leftmost first, until no pair has a rank. A word of n
 * characters takes n log n steps.
 *
 * The model is shared by threads; each has a struct bpe_work, with a cache of short words.
 */
#ifndef TEXT_BPE_H
#define TEXT_BPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "io/json.h"
#include "text/ids.h"
#include "text/vocab.h"

struct bpe;
struct bpe_work;

/* From the value of "model", which is not needed afterwards. NULL with err set. */
struct bpe *bpe_new(const struct json *model, struct err *err);
void bpe_free(struct bpe *b);

const struct vocab *bpe_vocab(const struct bpe *b); /* borrowed */

/* For use with b only. */
struct bpe_work *bpe_work_new(const struct bpe *b, struct err *err);
void bpe_work_free(struct bpe_work *w);

/* The character that stands for a byte in byte-level vocabularies, U+0021 to U+0143. */
uint32_t bpe_byte_character(unsigned char byte);

/* The byte that a character stands for there, or -1. */
int bpe_character_byte(uint32_t cp);

/*
 * Appends the ids of a word of n bytes (at most 4 GiB), valid UTF-8. byte_level: the word stands
 * for its bytes' characters (bpe_byte_character). *before becomes ids->n as it was after the last
 * token that ends at or before byte `mark` of the word; it stays where no token does. 0 or -1.
 */
int bpe_encode(const struct bpe *b, struct bpe_work *w, const char *word, size_t n, bool byte_level,
	size_t mark, struct ids *ids, size_t *before, struct err *err);

#endif
