#include "text/bpe.h"

#include "base/utf8.h"
#include "text/bpe_impl.h"
#include "text/field.h"
#include "text/uchar.h"

/* The two halves of a merge, "a b" or ["a","b"]; false where it is neither. */
static bool merge_halves(const struct json *m, const char *half[2], size_t n[2])
{
	const char *space, *text = json_string(m, &n[1]);

	if (text) {
		space = memchr(text, ' ', n[1]);
		if (!space || memchr(space + 1, ' ', n[1] - (size_t)(space + 1 - text)))
			return false;
		half[0] = text;
		n[0] = (size_t)(space - text);
		half[1] = space + 1;
		n[1] -= n[0] + 1;
		return true;
	}
	half[0] = json_string(json_first(m), &n[0]);
	half[1] = json_string(json_next(json_first(m)), &n[1]);
	return json_kind(m) == JSON_ARRAY && half[0] && half[1] && json_count(m) == 2;
}

static bool is_byte_token(const char *s, size_t n)
{
	return n == 6 && !memcmp(s, "<0x", 3) && s[5] == '>';
}

static int load_merge(
	struct bpe *b, const struct json *m, uint32_t rank, struct buf *both, struct err *err)
{
	const char *half[2];
	size_t n[2], skip = b->prefix ? strlen(b->prefix) : 0;
	int32_t left, right;
	uint64_t pair;

	if (!merge_halves(m, half, n))
		return err_set(err, ERR_CORRUPT,
			"model: merge %u is neither \"a b\" nor [\"a\",\"b\"]", rank);
	left = vocab_get(&b->vocab, half[0], n[0]);
	right = vocab_get(&b->vocab, half[1], n[1]);
	if (left < 0 || right < 0 || n[1] < skip)
		return err_set(err, ERR_CORRUPT, "model: merge %u: '%.*s' is not in the vocabulary",
			rank, (int)(left < 0 ? n[0] : n[1]), left < 0 ? half[0] : half[1]);
	buf_clear(both);
	buf_add(both, half[0], n[0]);
	buf_add(both, half[1] + skip, n[1] - skip);
	if (buf_check(both, err))
		return -1;
	b->made[rank] = vocab_get(&b->vocab, both->data, both->len);
	if (b->made[rank] < 0)
		return err_set(err, ERR_CORRUPT, "model: merge %u: '%s' is not in the vocabulary",
			rank, both->data);
	pair = bpe_pair(left, right);
	*bpe_slot(b, pair) = pair << BPE_RANK_BITS | rank;
	b->merges_bytes |= is_byte_token(half[0], n[0]) || is_byte_token(half[1], n[1]);
	if (n[0] && n[1])
		b->joins[bpe_kind(uchar_back(half[0] + n[0]))][bpe_kind(half[1])] = true;
	return 0;
}

static bool is_version(const struct json *m)
{
	const char *text = json_text(m);

	return text && !strncmp(text, "#version", 8);
}

static int load_merges(struct bpe *b, const struct json *merges, struct err *err)
{
	size_t count = json_count(merges), size = 16;
	struct buf both = BUF_INIT;
	uint32_t rank = 0;
	int result = 0;

	if (json_kind(merges) != JSON_ARRAY)
		return err_set(err, ERR_CORRUPT, "model: merges is no list");
	if (count >= BPE_NO_RANK || (count && b->vocab.largest > BPE_MAX_ID))
		return err_set(err, ERR_LIMIT, "model: %zu merges and ids up to %d, at most %u and %d are supported", count,
			b->vocab.largest, BPE_NO_RANK - 1, BPE_MAX_ID);
	while (size < count + count / 2)
		size *= 2;
	b->mask = size - 1;
	b->merges = mem_new(size, sizeof *b->merges, err);
	b->made = b->merges ? mem_new(count, sizeof *b->made, err) : NULL;
	if (!b->made)
		return -1;
	for (size_t i = 0; i < size; i++)
		b->merges[i] = BPE_NO_MERGE;
	for (const struct json *m = json_first(merges); m && result == 0; m = json_next(m))
		if (!is_version(m))
			result = load_merge(b, m, rank++, &both, err);
	buf_release(&both);
	return result;
}

/* A string, copied; *out stays where it is absent or null. */
static int load_string(const struct json *model, const char *name, char **out, struct err *err)
{
	const struct json *v = json_get(model, name);
	size_t n;
	const char *s = json_string(v, &n);

	if (!s && json_kind(v) != JSON_NONE && json_kind(v) != JSON_NULL)
		return err_set(err, ERR_CORRUPT, "model: %s is no string", name);
	if (s && memchr(s, '\0', n))
		return err_set(err, ERR_FAILED, "model: a zero byte in %s is not supported", name);
	if (!s)
		return 0;
	*out = mem_copy(s, n, err);
	return *out ? 0 : -1;
}

static int load_affix(const struct json *model, const char *name, char **out, struct err *err)
{
	int result = load_string(model, name, out, err);

	if (*out && !**out) {
		free(*out);
		*out = NULL;
	}
	return result;
}

static void index_characters(struct bpe *b)
{
	char text[4];

	vocab_bytes(&b->vocab, b->byte_ids);
	b->all_bytes = !b->prefix && !b->suffix;
	for (int i = 0; i < 256; i++) {
		char *level = b->level_text[i];

		level[2] = (char)utf8_encode(level, bpe_byte_character((unsigned char)i));
		b->level_ids[i] = vocab_get(&b->vocab, level, (size_t)level[2]);
		b->all_bytes &= b->level_ids[i] >= 0;
		text[0] = (char)i;
		if (i < 128)
			b->ascii_ids[i] = vocab_get(&b->vocab, text, 1);
	}
}

/* Words begin as bytes, so that most pairs that are looked up are these. */
static int index_bytes(struct bpe *b, struct err *err)
{
	if (!b->all_bytes)
		return 0;
	b->byte_ranks = mem_new(65536, sizeof *b->byte_ranks, err);
	if (!b->byte_ranks)
		return -1;
	for (int i = 0; i < 65536; i++)
		b->byte_ranks[i] = bpe_rank(b, b->level_ids[i >> 8], b->level_ids[i & 255]);
	return 0;
}

static void find_longest(struct bpe *b)
{
	for (size_t i = 0; b->vocab.slots && i <= b->vocab.mask; i++)
		if (b->vocab.slots[i].id >= 0 && b->vocab.slots[i].n > b->longest)
			b->longest = b->vocab.slots[i].n;
}

/* Whether two tokens have one id, or too many ids to tell. */
static bool shares_ids(const struct vocab *v, struct err *err)
{
	size_t size = (size_t)v->largest / 8 + 1;
	uint8_t *seen = v->count && size <= 1 << 24 ? mem_new(size, 1, err) : NULL;
	bool shared = !seen;

	for (size_t i = 0; !shared && i <= v->mask; i++) {
		int32_t id = v->slots[i].id;

		if (id < 0)
			continue;
		shared = seen[id / 8] >> (id % 8) & 1;
		seen[id / 8] |= (uint8_t)(1 << (id % 8));
	}
	free(seen);
	return shared;
}

/* Whether a character that the vocabulary lacks can leave no symbol at all. */
static bool can_vanish(const struct bpe *b)
{
	if (b->unk_token)
		return false;
	for (int i = 0; i < 256; i++)
		if (!b->byte_fallback || b->byte_ids[i] < 0)
			return true;
	return false;
}

/*
 * Where no merge joins two kinds of characters, words are encoded in parts: a document without
 * spaces to split at is not one long word. All kinds are joined where merges are not about these
 * characters (affixes, byte tokens, tokens that share ids) or where whole words are looked up
 * first; and those that the vocabulary may lack, since they fuse, or let their neighbours meet.
 */
static void find_joins(struct bpe *b, struct err *err)
{
	bool all = b->prefix || b->suffix || b->ignore_merges || b->merges_bytes ||
		   shares_ids(&b->vocab, err);
	bool vanish = can_vanish(b);
	int32_t space = vocab_get(&b->vocab, "\xe2\x96\x81", 3);

	for (int i = 0; i < BPE_KINDS; i++) {
		for (int j = 0; j < BPE_KINDS; j++) {
			bool left = (i < 128 ? b->ascii_ids[i] : i == BPE_SPACE ? space : -1) >= 0;
			bool right = (j < 128 ? b->ascii_ids[j] : j == BPE_SPACE ? space : -1) >= 0;

			if (i < 128 && j < 128 && uchar_ascii[i] == UCHAR_LETTER &&
				uchar_ascii[j] == UCHAR_LETTER)
				b->joins[i][j] = true; /* nothing is won by parts of words */
			if (all || (!left && !right) || (vanish && !(left && right)))
				b->joins[i][j] = true;
		}
	}
}

static int load(struct bpe *b, const struct json *model, struct err *err)
{
	const struct json *dropout = json_get(model, "dropout");
	double probability = 0;

	if (json_kind(dropout) != JSON_NONE && json_kind(dropout) != JSON_NULL &&
		!(json_number(dropout, &probability) && probability == 0))
		return err_set(err, ERR_FAILED, "model: dropout is not supported");
	if (load_affix(model, "continuing_subword_prefix", &b->prefix, err) ||
		load_affix(model, "end_of_word_suffix", &b->suffix, err) ||
		load_string(model, "unk_token", &b->unk_token, err))
		return -1;
	if (field_bool(model, "fuse_unk", true, &b->fuse_unk, err) ||
		field_bool(model, "byte_fallback", true, &b->byte_fallback, err) ||
		field_bool(model, "ignore_merges", true, &b->ignore_merges, err))
		return err_at(err, "model");
	if (vocab_load(&b->vocab, json_get(model, "vocab"), err))
		return err_at(err, "model");
	if (load_merges(b, json_get(model, "merges"), err))
		return -1;
	b->unk = b->unk_token ? vocab_get(&b->vocab, b->unk_token, strlen(b->unk_token)) : -1;
	index_characters(b);
	find_longest(b);
	find_joins(b, err);
	return index_bytes(b, err);
}

struct bpe *bpe_new(const struct json *model, struct err *err)
{
	struct bpe *b = mem_new(1, sizeof *b, err);

	if (!b)
		return NULL;
	b->vocab = (struct vocab)VOCAB_INIT;
	if (load(b, model, err)) {
		bpe_free(b);
		return NULL;
	}
	return b;
}

void bpe_free(struct bpe *b)
{
	if (!b)
		return;
	vocab_release(&b->vocab);
	free(b->merges);
	free(b->made);
	free(b->byte_ranks);
	free(b->prefix);
	free(b->suffix);
	free(b->unk_token);
	free(b);
}

const struct vocab *bpe_vocab(const struct bpe *b)
{
	return &b->vocab;
}

uint32_t bpe_byte_character(unsigned char byte)
{
	/* what is printable in Latin-1 stands for itself, the others follow in order from U+0100 */
	if (byte <= 0x20)
		return 0x100u + byte;
	if (byte >= 0x7f && byte <= 0xa0)
		return 0x121u + byte - 0x7f;
	return byte == 0xad ? 0x143 : byte;
}

int bpe_character_byte(uint32_t cp)
{
	if (cp >= 0x100 && cp <= 0x120)
		return (int)(cp - 0x100);
	if (cp >= 0x121 && cp <= 0x142)
		return (int)(cp - 0x121 + 0x7f);
	if (cp == 0x143)
		return 0xad;
	return cp < 0x100 && bpe_byte_character((unsigned char)cp) == cp ? (int)cp : -1;
}
