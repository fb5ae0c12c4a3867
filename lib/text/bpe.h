/*
 * The model of tokenizer.json named BPE: a word, already split off, to ids. Characters become
 * symbols (by byte fallback or as unknown where the vocabulary lacks them), then the pair of
 * neighbours with the lowest rank is merged, leftmost first, until no pair has a rank. A word of n
 * characters takes n log n steps.
 *
 * The model is shared by threads; each has a struct bpe_work.
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
 * Where the part of a word of characters that begins at word[at] ends: no token reaches over that place, so that
 * parts may be encoded one by one. With byte_level, a word is one part.
 */
size_t bpe_part_end(const struct bpe *b, const char *word, size_t n, size_t at);

/*
 * Appends the ids of a word, or a part, of n bytes (less than 2 GiB), valid UTF-8, to ids, and to ends, unless it is
 * NULL, for each, where in the word it ends. byte_level: the word stands for its bytes' characters
 * (bpe_byte_character). 0 or -1.
 */
int bpe_encode(struct bpe_work *w, const char *word, size_t n, bool byte_level, struct ids *ids,
	struct ids *ends, struct err *err);

#endif
