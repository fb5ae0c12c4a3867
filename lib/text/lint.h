/* What is odd about a row that can be kept, as far as the row alone tells. */
#ifndef TEXT_LINT_H
#define TEXT_LINT_H

#include "text/layout.h"
#include "text/specials.h"

#define LINT_NOTES 8

struct lint {
	struct fault note[LINT_NOTES];
	size_t n;
};

/*
 * Notes of the row: what its renderer noted, one completion that begins with the other, equal scores, text
 * of special tokens, a template's leftovers on one side only, a system's text that the prompt has not.
 */
void lint_row(struct lint *l, const struct layout_row *row, const struct specials *specials);

/* Adds one. */
void lint_add(struct lint *l, const struct fault *note);

#endif
