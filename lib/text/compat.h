/*
 * Other projects' rules of boundary, EOS and truncation, for results that are to be compared with
 * theirs. Each is done as its source does it, with what that loses; ours is in prefencode.h.
 *
 *	trl            TRL since 0.29, 1.x. Whole text and prompt are encoded; the whole's tokens beyond
 *	               as many as the prompt has are the completion, whatever they are, and are put
 *	               behind the prompt's. Plain text gets what the post-processor adds, and EOS as
 *	               text unless a completion ends with it. Each sequence is cut by itself: keep-start
 *	               cuts the end, and records whose prompt fills the limit are dropped; keep-end cuts
 *	               the head.
 *	trl-0.28       TRL up to 0.28. Prompt and completions are encoded by themselves, without BOS; an
 *	               EOS more is appended to plain text, and up to 0.27 to rendered text too. Of the
 *	               prompt its end is kept, then each sequence is cut by itself.
 *	dpo-paper      The code of Rafailov et al. 2023. The same encoding; EOS is appended to all and
 *	               may be nowhere else. The prompt is cut to its most where prompt and longest
 *	               completion are too long together; then completions to what it leaves, even where
 *	               it is shorter.
 *	llama-factory  The same encoding; EOS is in the template, or appended, and can be cut. Of prompt
 *	               and longest completion the longer one is cut, or both in proportion; all at the
 *	               end.
 *	openrlhf       The whole text is encoded, its final newlines off, with a space and EOS unless it
 *	               ends with that; the prompt is as many tokens as it has by itself. The end is cut,
 *	               and the last token becomes EOS in any case. Records that leave fewer than three
 *	               tokens to completions are dropped.
 *
 * Where a sequence would have no counted token, on which theirs divide by zero or train on nothing,
 * the record is dropped.
 *
 * Sources: huggingface/trl v1.9 and v0.28, trl/trainer/dpo_trainer.py; eric-mitchell/
 * direct-preference-optimization, preference_datasets.py; hiyouga/LLaMA-Factory (2026-08),
 * data/processor/pairwise.py; OpenRLHF (2026-08), datasets/reward_dataset.py.
 */
#ifndef TEXT_COMPAT_H
#define TEXT_COMPAT_H

#include "text/prefencode.h"
#include "text/sequences.h"

struct compat {
	const char *name;
	const char *boundary, *eos; /* for the stream's header; eos NULL: as one chooses */
	bool special;		    /* gets plain text what the post-processor adds? */

	int64_t max_length, max_prompt;	   /* its defaults, in tokens; max_prompt 0: it has none */
	bool within;			   /* must max_prompt be less than max_length? */
	enum prefencode_truncate truncate; /* its default */
	bool truncates;	    /* keep-end or keep-start, as one chooses; else in a way of its own */
	bool always, never; /* may EOS be appended to rendered text, or not to plain text? */

	/* Does it need EOS? */
	bool (*needs_eos)(const struct prefencode_rules *rules);

	/* Puts the record's sequences into s, which is clear, or tells why not. */
	enum sequences_fate (*encode)(const struct prefencode_rules *rules, struct sequences *s,
		const struct pref_rec *in, struct err *err);
};

/* Their names, NULL-terminated, and the rule of name i. */
extern const char *const compat_names[];
const struct compat *compat_at(int i);

#endif
