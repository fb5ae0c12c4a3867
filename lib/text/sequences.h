/*
 * What all rules of encoding a record share: segments of its text are put together and encoded, and
 * the rule's choice of their tokens becomes a record, in which completions share a prompt.
 *
 *	sequences_clear(s);
 *	for (int i = 0; i <= in->k; i++) {
 *		sequences_text(s, in, i, i);
 *		if (sequences_encode(s, 0, 0, err))
 *			return -1;
 *	}
 *	for (int i = 1; i <= in->k; i++)
 *		if (sequences_add(s, &(struct sequence){.prompt = {sequences_piece(s, 0)},
 *				.completion = sequences_piece(s, i)}, err))
 *			return -1;
 *	return sequences_record(s, in, out, err);
 *
 * That is a rule by which prompt and completions are encoded each by itself, and nothing is cut.
 */
#ifndef TEXT_SEQUENCES_H
#define TEXT_SEQUENCES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "io/pref.h"
#include "text/tokenizer.h"

/* Tokens of a piece that was encoded; valid until the next one is. */
struct piece {
	const int32_t *v;
	size_t n;
	size_t before; /* how many of them belong to the text before the place given */
};

/* What one completion is trained on. */
struct sequence {
	struct piece prompt[2]; /* one behind the other */
	struct piece completion;
	size_t uncounted;		   /* tokens at the completion's start that carry no loss */
	size_t cut_prompt, cut_completion; /* tokens that were left out */
};

/* What became of a record. */
enum sequences_fate {
	SEQUENCES_FAILED = -1,
	SEQUENCES_MADE,
	SEQUENCES_EMPTY,    /* some completion has no counted token */
	SEQUENCES_TOO_LONG, /* beyond the limits, or with no counted token within them */
};

struct sequences {
	const struct tokenizer *t;
	struct encoder *encoder;
	struct buf text, plain; /* what is encoded next; of each byte, as in struct pref_rec */

	struct ids pieces;		 /* one behind the other */
	size_t *piece_at, *piece_before; /* [n + 1], [n] */
	size_t n, at_cap, before_cap;

	struct ids ids;	     /* the sequences */
	struct place *place; /* of each: where, and what else is known */
	size_t made, place_cap;

	struct ids tokens; /* the record's */
	int64_t *seg;
	int32_t *skip, *cut;
	size_t seg_cap, skip_cap, cut_cap;

	/* what a rule may say of the record */
	bool merged;	   /* the prompt by itself has other tokens than before a completion */
	uint64_t eos_lost; /* completions whose EOS was cut off */
};

/* t is borrowed. Release s in any case. */
int sequences_init(struct sequences *s, const struct tokenizer *t, struct err *err);
void sequences_release(struct sequences *s);

/* Forgets all but memory: a new record. */
void sequences_clear(struct sequences *s);

/* The record's segment a is encoded next, with segment b behind it if that is another one. */
void sequences_text(struct sequences *s, const struct pref_rec *in, int a, int b);

/* Appends the EOS token's text, behind `space`, unless the text ends with it already. */
void sequences_text_eos(struct sequences *s, const char *space);

/* Encodes the text as a further piece, with flags and place of encoder_encode_at(). 0 or -1 */
int sequences_encode(struct sequences *s, size_t place, unsigned flags, struct err *err);

/* Appends a token to the last piece. 0 or -1 */
int sequences_encode_id(struct sequences *s, int32_t id, struct err *err);

/* Piece i, counted from 0. */
struct piece sequences_piece(const struct sequences *s, size_t i);

/* The n tokens of p from `from` on; the most that there are. */
struct piece piece_part(struct piece p, size_t from, size_t n);

/* The next completion's sequence. 0 or -1 */
int sequences_add(struct sequences *s, const struct sequence *sequence, struct err *err);

/* The last sequence's last token becomes id. */
void sequences_end_with(struct sequences *s, int32_t id);

/*
 * A record of the sequences, one for each of in's completions: its prompt is what they begin with
 * alike, as far as it carries no loss in any. All else is in's. It is valid until s is cleared.
 */
enum sequences_fate sequences_record(
	struct sequences *s, const struct pref_rec *in, struct pref_rec *out, struct err *err);

#endif
