/*
 * Strings to small numbers, in the order of their first appearance: models, judges, items. Zeroed: empty.
 *
 *	int model = names_add(&models, text, n, err);
 *
 *	if (model < 0)
 *		return -1;
 *	names_get(&models, model);
 */
#ifndef EVAL_NAMES_H
#define EVAL_NAMES_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

struct names {
	struct arena memory;
	const char **text;
	size_t *len, cap, lencap;
	int n;
	int32_t *slot; /* 1 + a name's number; 0: free */
	size_t slots;
};

/* The number of the n bytes at s, a new one where they are new; -1 without memory. */
int names_add(struct names *all, const char *s, size_t n, struct err *err);

/* The number, or -1 where there is no such name. */
int names_find(const struct names *all, const char *s, size_t n);

/* Zero-terminated, until release. */
const char *names_get(const struct names *all, int i);

/* A name as a number; NaN where it is none. Are there two names or more, and all numbers? */
double names_number(const struct names *all, int i);
bool names_are_numbers(const struct names *all);

void names_release(struct names *all);

#endif
