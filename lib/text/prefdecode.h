/*
 * Preference records from tokens back to text. A prompt is decoded together with each of its completions, as
 * it was encoded: the prompt's text is what its tokens settle, and what they leave open (half of a character)
 * goes to the completion.
 */
#ifndef TEXT_PREFDECODE_H
#define TEXT_PREFDECODE_H

#include "io/pref.h"
#include "text/detokenizer.h"

struct prefdecode;

/* One thread's; flags are detokenizer_new()'s. t is borrowed. */
struct prefdecode *prefdecode_new(const struct tokenizer *t, unsigned flags, struct err *err);
void prefdecode_free(struct prefdecode *p);

/*
 * Decodes the token record `in` to `out`, which is valid until the next call and as long as `in`: id, label
 * and meta are in's; what belongs to tokens (skip, cut, log-probs) has no place in text. 0 or -1.
 */
int prefdecode_record(
	struct prefdecode *p, const struct pref_rec *in, struct pref_rec *out, struct err *err);

#endif
