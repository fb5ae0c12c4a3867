/* What loading (bpe.c) and encoding (bpe_encode.c) share; for nobody else. */
#ifndef TEXT_BPE_IMPL_H
#define TEXT_BPE_IMPL_H

#include "text/bpe.h"

/*
 * A merge in eight bytes, since looking them up is waiting for the caches: the ids of its halves, of 21 bits each, and
 * its rank, of 22. Where there are merges no id of the vocabulary is larger, also of what none is about: it would look
 * like another pair.
 */
#define BPE_MAX_ID (((int32_t)1 << 21) - 1)
#define BPE_RANK_BITS 22
#define BPE_NO_RANK (((uint32_t)1 << BPE_RANK_BITS) - 1)
#define BPE_NO_MERGE UINT64_MAX /* an empty slot, whose rank is BPE_NO_RANK */

/* Kinds of characters: each of ASCII, U+2581 (a space in SentencePiece's vocabularies), all others.
 */
enum { BPE_SPACE = 128, BPE_OTHER, BPE_KINDS };

struct bpe {
	struct vocab vocab;
	uint64_t *merges; /* open addressing, mask + 1 slots */
	size_t mask;
	int32_t *made;		 /* by rank */
	char level_text[256][3]; /* the characters of level_ids, and their length, 1 or 2 */
	bool all_bytes; /* all level_ids are there, and stand for bytes anywhere in a word */
	size_t longest; /* token, in bytes of the vocabulary */
	uint32_t *byte_ranks; /* with all_bytes: of the pair of two bytes, [left << 8 | right] */
	int32_t byte_ids[256], level_ids[256],
		ascii_ids[128]; /* "<0x41>"; as bpe_byte_character; "A" */
	char *prefix, *suffix;	/* NULL where empty */
	char *unk_token;	/* or NULL */
	int32_t unk;		/* its id, or -1 */
	bool fuse_unk, byte_fallback, ignore_merges;
	bool merges_bytes;		  /* some merge is about a byte's token */
	bool joins[BPE_KINDS][BPE_KINDS]; /* false: no token reaches from the one into the other */
};

static inline uint64_t bpe_pair(int32_t left, int32_t right)
{
	return (uint64_t)left << 21 | (uint64_t)right;
}

/* The slot that holds a pair, or the empty one where it would go. */
static inline uint64_t *bpe_slot(const struct bpe *b, uint64_t pair)
{
	size_t i = pair * 0x9e3779b97f4a7c15u >> 32 & b->mask;

	while (b->merges[i] != BPE_NO_MERGE && b->merges[i] >> BPE_RANK_BITS != pair)
		i = (i + 1) & b->mask;
	return &b->merges[i];
}

/* The rank of a pair, or BPE_NO_RANK. */
static inline uint32_t bpe_rank(const struct bpe *b, int32_t left, int32_t right)
{
	return (uint32_t)*bpe_slot(b, bpe_pair(left, right)) & BPE_NO_RANK;
}

/* The kind of the character at s, valid UTF-8. */
static inline int bpe_kind(const char *s)
{
	unsigned char c = (unsigned char)*s;

	return c < 0x80						       ? c
	       : c == 0xe2 && s[1] == (char)0x96 && s[2] == (char)0x81 ? BPE_SPACE
								       : BPE_OTHER;
}

#endif
