/*
 * What the translation of expressions (onig.c) and of their classes (onig_class.c) share; for
 * nobody else.
 */
#ifndef TEXT_ONIG_IMPL_H
#define TEXT_ONIG_IMPL_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "text/onig.h"

#define ONIG_DEPTH_MAX 200

struct onig {
	const char *start, *s, *end; /* s: what comes next */
	struct buf *out;
	struct err *err;
	int depth; /* of groups and classes, at most ONIG_DEPTH_MAX */
};

static inline int onig_refuse(struct onig *t, const char *what)
{
	return err_set(t->err, ERR_FAILED, "%s at byte %zu is not supported", what,
		(size_t)(t->s - t->start));
}

static inline bool onig_more(const struct onig *t)
{
	return t->s < t->end;
}

static inline bool onig_ahead(const struct onig *t, const char *text)
{
	size_t n = strlen(text);

	return (size_t)(t->end - t->s) >= n && !memcmp(t->s, text, n);
}

static inline bool onig_take(struct onig *t, const char *text)
{
	if (!onig_ahead(t, text))
		return false;
	t->s += strlen(text);
	return true;
}

void onig_put_literal(struct buf *out, uint32_t cp);

/*
 * Letters and digits up to what closes the name, which is taken; -1, without a message, where there
 * is none.
 */
int onig_take_name(struct onig *t, char close, char *name, size_t size);

/* A set of characters: \s, \p{L}, [:alpha:] */
struct onig_set {
	const char *inside; /* what it is within brackets */
	bool negated;
};

extern const char onig_word[]; /* what \w is within brackets */

/*
 * A set written as an escape, t->s behind the backslash; text holds what set points to. 1, 0 where
 * it is none, -1
 */
int onig_take_set(struct onig *t, struct onig_set *set, char text[64]);

/* The character that an escape stands for, t->s behind the backslash. 0 or -1 */
int onig_take_escaped(struct onig *t, uint32_t *cp);

struct onig_operand;

/*
 * A class, t->s behind its '['. Written to out; or added to the operand of the class around it,
 * `into`, where a plain union needs no expression of its own. 0 or -1
 */
int onig_take_class(struct onig *t, struct buf *out, struct onig_operand *into);

#endif
