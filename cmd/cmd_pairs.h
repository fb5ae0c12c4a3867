/* Pairs of answers to the same prompt, for judges: from records of pairs, or from two files of answers. */
#ifndef CMD_PAIRS_H
#define CMD_PAIRS_H

#include "base/arena.h"

/* [0]: the base's, [1]: the model's. */
struct pair {
	const char *prompt, *answer[2]; /* JSON: strings, or lists of messages; canonical */
	const char *name[2];
	const char *group; /* or NULL */
	double length[2];  /* characters; -1: not known */
};

struct pairs {
	struct pair *all;
	size_t n, cap;
	struct arena memory;
};

/*
 * JSON Lines, JSON arrays or tables, plain or gzipped; "-", and n = 0, is standard input. Either every record has
 * two answers:
 *
 *	output_1 and output_2, response_a and response_b, a and b, rejected and chosen
 *
 * and perhaps names of their models; or there are two files, the base's and the model's, of records with
 * "completions", as lm-sample(1) writes them, or "completion", "response" or "output", whose prompts must be
 * the same one by one. by: a field whose values are groups, or NULL.
 */
int pairs_read(struct pairs *p, char *const *paths, int n, const char *by, struct err *err);
void pairs_release(struct pairs *p);

#endif
