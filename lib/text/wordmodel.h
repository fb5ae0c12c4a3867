/*
 * The model of tokenizer.json, of any kind: words, already split off, to ids. It is shared by threads; each
 * has a struct wordmodel_work, which remembers words.
 */
#ifndef TEXT_WORDMODEL_H
#define TEXT_WORDMODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "io/json.h"
#include "text/ids.h"
#include "text/pretokenize.h"
#include "text/vocab.h"

struct wordmodel;
struct wordmodel_work;

/*
 * From the value of "model", which is not needed afterwards. Where it names no type, its fields tell: old
 * files have none. NULL with err set.
 */
struct wordmodel *wordmodel_new(const struct json *model, struct err *err);
void wordmodel_free(struct wordmodel *m);

const struct vocab *wordmodel_vocab(const struct wordmodel *m); /* borrowed */
size_t wordmodel_size(
	const struct wordmodel *m); /* what comes behind the vocabulary gets this id */

/* For use with m only. */
struct wordmodel_work *wordmodel_work_new(const struct wordmodel *m, struct err *err);
void wordmodel_work_free(struct wordmodel_work *w);

/*
 * Appends the ids of `count` words of a text of n bytes, valid UTF-8; none is of 2 GiB. byte_level: they stand for
 * their bytes' characters (bpe_byte_character). *before becomes ids->n as it was after the last token that ends
 * at or before byte `mark` of the text; it stays where no token does. 0 or -1.
 */
int wordmodel_encode(struct wordmodel_work *w, const char *text, size_t n, const struct word *words,
	size_t count, bool byte_level, size_t mark, struct ids *ids, size_t *before,
	struct err *err);

#endif
