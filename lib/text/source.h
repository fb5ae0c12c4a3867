/*
 * Where a model folder's tokenizer is: tokenizer.json; or, in older folders, vocab.json with merges.txt, or
 * SentencePiece's tokenizer.model. Of these, what transformers makes of them is written down as the
 * tokenizer.json that it would save: which parts go with them is known by tokenizer_class.
 */
#ifndef TEXT_SOURCE_H
#define TEXT_SOURCE_H

#include "base/buf.h"
#include "base/err.h"
#include "io/json.h"

/*
 * Appends the tokenizer as JSON. config: the folder's tokenizer_config.json, or NULL. *name becomes the file
 * that it comes from, for messages. ERR_FAILED where there is none, or of a class that is not known.
 */
int source_read(const char *folder, const struct json *config, struct buf *json, const char **name,
	struct err *err);

#endif
