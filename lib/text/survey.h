/*
 * What all rows together say: which records stand twice, or against each other, or have a prompt that is
 * kept for testing; how often which fault occurs, and where; whether length alone tells chosen from rejected.
 * Memory grows by some 30 bytes a record, for the numbers that stand for records and prompts.
 *
 *	survey_row(&s);
 *	survey_fault(&s, &place, &fault);                  a row of which nothing came
 *	if (survey_record(&s, &place, &rec, &lint, err))   one record of a row; 0: it is not to be kept
 *		write it
 *	survey_put(&s, &report);
 */
#ifndef TEXT_SURVEY_H
#define TEXT_SURVEY_H

#include "base/hash.h"
#include "text/lint.h"

#define SURVEY_EXAMPLES 5

struct survey_place {
	const char *file;
	uint64_t line;
	uint64_t element; /* of an array, from 1, which may all stand on one line; or 0 */
};

/* Appends its members, without braces. */
void survey_put_place(const struct survey_place *place, struct buf *out);

struct survey_example {
	struct survey_place place; /* file: the caller's string, which must last */
	char text[240];
};

struct survey {
	bool reject[FAULT_CODES]; /* notes that make a record bad */
	bool held_out;		  /* is there something in prompts_out? */

	uint64_t rows, kept;	      /* rows seen, records kept */
	uint64_t bad, skipped, noted; /* rows or single records of them; records with a note */
	uint64_t turns;		      /* kept records with a completion that goes on over turns of the user */
	uint64_t count[FAULT_CODES];
	struct survey_example example[FAULT_CODES][SURVEY_EXAMPLES];

	/* Of kept pairs, in characters. */
	uint64_t pairs, chosen_longer, rejected_longer;
	double prompt_chars, chosen_chars, rejected_chars;

	struct hash_set records, prompts, prompts_out;
};

void survey_init(struct survey *s);
void survey_release(struct survey *s);

/* The prompt is one of those that are kept for testing. */
int survey_hold_out(struct survey *s, const struct pref_rec *rec, struct err *err);

/* A row of which no record came: bad, or passed over, by the fault's class. */
void survey_fault(struct survey *s, const struct survey_place *place, const struct fault *fault);

/*
 * A record: adds to its notes what other rows say of it, and counts. 1: keep it; 0: one of the notes, which
 * becomes *why, rejects it; -1 without memory.
 */
int survey_record(struct survey *s, const struct survey_place *place, const struct pref_rec *rec,
	struct lint *lint, struct fault *why, struct err *err);

/* Appends counts of one class as "4 empty, 1 roles". */
void survey_put_counts(const struct survey *s, struct buf *out, bool notes);

/* Appends the report, a JSON object and a line break. */
void survey_put(const struct survey *s, struct buf *out);

#endif
