/*
 * From a row as it stands in a file to the records that it makes: parse, read by its layout, render, make
 * pairs, look for what is odd. What other rows say of it (duplicates and the like) is for survey.h.
 */
#ifndef TEXT_COMPILE_H
#define TEXT_COMPILE_H

#include "text/layout.h"
#include "text/lint.h"
#include "text/pairs.h"

/* --min: rows whose field is less are passed over. */
struct compile_min {
	const char *path; /* as layout_find() has it */
	double least;
};

struct compile_options {
	struct layout_options how;
	enum pairs_how pairs;
	const struct specials *specials;
	const struct compile_min *min;
	size_t nmin;
	bool meta; /* keep the rows' other fields */
	bool replace; /* what is not Unicode, by repair.h; else such rows are bad */
};

struct compiled_record {
	struct pref_rec rec;
	struct lint lint;
};

/* What became of a row: records, or the fault. */
struct compiled {
	struct compiled_record *records; /* in the arena */
	size_t n;
	struct fault fault; /* where n is 0 */
	bool turns;	    /* a completion goes on over turns of the user */
};

/* The row's JSON, of n bytes, and how many times something in it was replaced; NULL, and why. */
struct json *compile_parse(const struct compile_options *o, const char *text, size_t n,
	size_t *replaced, struct err *why);

/* n bytes of JSON; l may be NULL where it is none. 0 or -1. */
int compile_row(const struct compile_options *o, const struct layout *l, const char *text, size_t n,
	struct compiled *out, struct arena *arena, struct err *err);

#endif
