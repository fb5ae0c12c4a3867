/*
 * Preference records from text to tokens: which tokens are the prompt's, what ends a completion,
 * and what is cut off where a record is too long.
 *
 * Prompt and completion are encoded together, since a tokenizer may merge what stands on both sides
 * of the boundary. The stored prompt is what all k sequences begin with, as far as it comes from
 * the prompt's text. Tokens behind it that still end within the prompt's text are in `skip`; a
 * token made of both sides, and all after it, belong to the completion.
 *
 * Where a record says of bytes that they are plain, no special or other added token is seen in
 * them: they are text, whatever they spell. Nothing else changes there: what the normalizer and
 * the pre-tokenizer make of them, and what merges with what is beside them, is as in a text in which
 * the tokenizer had never heard of that token.
 *
 * Other projects' rules are in compat.h.
 */
#ifndef TEXT_PREFENCODE_H
#define TEXT_PREFENCODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "io/pref.h"
#include "text/tokenizer.h"

/* What is appended to a completion that does not end with the EOS token yet. */
enum prefencode_eos {
	PREFENCODE_AUTO,   /* EOS, but nothing to text that a chat template made */
	PREFENCODE_ALWAYS, /* EOS */
	PREFENCODE_NEVER,  /* nothing */
};

/*
 * What becomes of a record beyond the limits. Leading special tokens and one more stay with a
 * prompt.
 */
enum prefencode_truncate {
	PREFENCODE_KEEP_END,   /* the prompt's head is cut off; then the ends of completions */
	PREFENCODE_KEEP_START, /* the ends of both are cut off; dropped where no completion would be
				  left */
	PREFENCODE_DROP,
	PREFENCODE_ERROR, /* ERR_LIMIT */
};

struct compat;

struct prefencode_rules {
	const struct compat *compat; /* another project's rule; NULL: ours */
	bool rendered; /* by a chat template: the text has its own special tokens, none are added in
			  front */
	enum prefencode_eos eos;
	enum prefencode_truncate truncate;
	int64_t max_length, max_prompt; /* in tokens; 0: no limit */
};

struct prefencode_ledger {
	uint64_t kept; /* records */
	uint64_t too_long,
		empty;	    /* records dropped; empty: without a counted token in some completion */
	uint64_t truncated; /* records with tokens cut off, and how many of them: */
	uint64_t cut_prompt, cut_completion;
	uint64_t eos_lost; /* completions whose EOS was cut off */
	uint64_t merged; /* records whose prompt alone has other tokens than before a completion */
	uint64_t identical; /* records with two completions of the same tokens */
	uint64_t bos_twice; /* records that begin with two BOS tokens */
	uint64_t plain;	    /* records with text of special tokens that stays text */
};

void prefencode_add(struct prefencode_ledger *to, const struct prefencode_ledger *from);

struct prefencode;

/*
 * One thread's encoder; t and rules are borrowed. ERR_FAILED where the rules ask for an EOS that t
 * has not. Other rules than ours are told their limits: 0 is none for them too.
 */
struct prefencode *prefencode_new(
	const struct tokenizer *t, const struct prefencode_rules *rules, struct err *err);
void prefencode_free(struct prefencode *p);

/*
 * Encodes the text record `in` to `out`, which is valid until the next call and as long as `in`:
 * id, label and meta are in's, `cut` is always set. Adds to the ledger. 1, 0 where the record is
 * dropped, or -1.
 */
int prefencode_record(struct prefencode *p, const struct pref_rec *in, struct pref_rec *out,
	struct prefencode_ledger *ledger, struct err *err);

#endif
