/* What "Metaspace" says of itself in tokenizer.json, as a pre-tokenizer and as a decoder. */
#ifndef TEXT_METASPACE_H
#define TEXT_METASPACE_H

#include <stdbool.h>

#include "base/err.h"
#include "io/json.h"

struct metaspace {
	char mark[5]; /* one character, which stands for a space; zero-terminated */
	enum {
		METASPACE_NEVER,
		METASPACE_FIRST,
		METASPACE_ALWAYS
	} prepend; /* where text has none in front */
	bool split;
};

/* 0 or -1 (ERR_CORRUPT). */
int metaspace_load(struct metaspace *m, const struct json *v, struct err *err);

#endif
