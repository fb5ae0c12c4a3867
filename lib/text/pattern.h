/*
 * What a tokenizer splits or replaces at: {"String": "..."} or {"Regex": "..."}, matched as the
 * Hugging Face library does. A pattern is shared by threads; each has a matcher of its own.
 *
 *	struct pattern_search search = PATTERN_SEARCH(text, n);
 *
 *	while ((found = pattern_next(pattern, matcher, &search, err)) > 0)
 *		use(text + search.start, search.end - search.start);
 */
#ifndef TEXT_PATTERN_H
#define TEXT_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "io/json.h"
#include "text/scan.h"

struct pattern;
struct matcher;

/* The string itself; an empty one matches between all characters. NULL with err set. */
struct pattern *pattern_new_string(const char *text, size_t n, struct err *err);

/*
 * An expression in Oniguruma's syntax, n bytes of valid UTF-8. NULL with err set: not understood,
 * or not valid.
 */
struct pattern *pattern_new_regex(const char *text, size_t n, struct err *err);

/* Either, from {"String": ...} or {"Regex": ...}. */
struct pattern *pattern_new(const struct json *v, struct err *err);

void pattern_free(struct pattern *p);

/* Which of the patterns written out by hand it is; SCAN_NONE: none. */
enum scan_rule pattern_rule(const struct pattern *p);

/* The only byte that it matches, or -1. */
int pattern_byte(const struct pattern *p);

struct matcher *matcher_new(struct err *err);
void matcher_free(struct matcher *m);

/* A walk through n bytes of valid UTF-8, which may hold zero bytes. */
struct pattern_search {
	const char *text;
	size_t n;
	size_t start, end; /* the match found */
	size_t from;
	bool found;
};

#define PATTERN_SEARCH(t, size)                                                                    \
	{                                                                                          \
		.text = (t), .n = (size)                                                           \
	}

/*
 * The next match, leftmost and not overlapping the last one; an empty match right behind the last
 * one does not count. 1, 0 at the end, or -1 (ERR_LIMIT where the expression gave up).
 */
int pattern_next(
	const struct pattern *p, struct matcher *m, struct pattern_search *search, struct err *err);

#endif
