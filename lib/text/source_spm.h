/* Of SentencePiece's model, the tokenizer.json that transformers makes; for source.c only. */
#ifndef TEXT_SOURCE_SPM_H
#define TEXT_SOURCE_SPM_H

#include "base/buf.h"
#include "base/err.h"
#include "io/json.h"

/* n bytes of tokenizer.model; config as in source_read(). 0 or -1. */
int source_spm(
	const void *bytes, size_t n, const struct json *config, struct buf *json, struct err *err);

/* Appends "added_tokens":[...] of what config tells, behind those that are in `first` (without brackets). */
void source_added(struct buf *json, const char *first, const struct json *config);

#endif
