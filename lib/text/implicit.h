/* The prompt of a pair that has none of its own: what its two texts have in common. */
#ifndef TEXT_IMPLICIT_H
#define TEXT_IMPLICIT_H

#include <stddef.h>

/*
 * Where that prompt ends: the longest common beginning of two valid UTF-8 strings, taken back to where
 * nothing is cut in two: no character with its combining marks, no word or number, no <tag> or [tag]
 * without white space; and further back over spaces and tabs, so that completions keep their leading
 * space. Scripts that do not put spaces between words may be cut between any two characters. 0 where
 * nothing is left.
 */
size_t implicit_prompt_end(const char *a, size_t na, const char *b, size_t nb);

#endif
