/* Fields of a part of tokenizer.json. 0, or -1 with err naming the field. */
#ifndef TEXT_FIELD_H
#define TEXT_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "io/json.h"

/* optional: where it is absent or null, *out stays. */
int field_bool(const struct json *v, const char *name, bool optional, bool *out, struct err *err);

/* An integer from 0 to most; optional likewise. */
int field_int(const struct json *v, const char *name, bool optional, int64_t most, int64_t *out,
	struct err *err);

/* A string of *n bytes, copied, with a zero byte behind; optional: *out stays. */
int field_string(const struct json *v, const char *name, bool optional, char **out, size_t *n,
	struct err *err);

#endif
