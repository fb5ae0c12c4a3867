/* Metadata: names with text values, sorted by name, as in a safetensors document's __metadata__. */
#ifndef IO_META_H
#define IO_META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "io/json.h"

struct meta_entry {
	char *key, *value;
};

struct meta {
	struct meta_entry *entries;
	size_t n, cap;
};

#define META_INIT                                                                                  \
	{                                                                                          \
		.entries = NULL                                                                    \
	}

void meta_release(struct meta *m);

/* Sets or replaces. 0 or -1 (ERR_LIMIT). */
int meta_set(struct meta *m, const char *key, const char *value, struct err *err);
int meta_set_int(struct meta *m, const char *key, int64_t value, struct err *err);

void meta_remove(struct meta *m, const char *key);
void meta_remove_all(struct meta *m, const char *prefix); /* every key that begins so */

/* The value, owned by m until it is set again; NULL where there is none. */
const char *meta_get(const struct meta *m, const char *key);

/* A decimal integer without sign, at most 2^53; fallback where there is none or it is not one. */
int64_t meta_get_int(const struct meta *m, const char *key, int64_t fallback);

/* Replaces *to by a copy of from. */
int meta_copy(struct meta *to, const struct meta *from, struct err *err);

/* Appends {"key":"value",...}. */
void meta_write(struct buf *out, const struct meta *m);

/* The same for scripts: the chain under `prov` as the list it is. For people: a line an entry, and a step. */
void meta_export(struct buf *out, const struct meta *m);
void meta_print(struct buf *out, const struct meta *m);

/*
 * Sets what an object as meta_export() writes it says: strings, numbers as their digits, lists and objects
 * as their JSON. ERR_CORRUPT for anything else.
 */
int meta_import(struct meta *m, const struct json *object, struct err *err);

#endif
