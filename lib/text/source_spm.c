#include "text/source_spm.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "text/spm.h"
#include "text/uchar.h"
#include "text/vocab.h"

#define SPACE "\xe2\x96\x81" /* U+2581 */
#define EXTRA 100	     /* T5's sentinels */

enum family { LLAMA, GEMMA, T5, PLAIN };

/* ---- merges: pieces by their score, each made of any two others */

struct merge {
	uint32_t piece, left; /* bytes of the left half */
	int32_t ids[2];
	uint32_t characters[2];
	float score;
};

/* Higher scores first, then longer left and right halves; then by piece and ids, as a stable sort leaves them. */
static int compare(const void *one, const void *other)
{
	const struct merge *a = one, *b = other;

	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	for (int i = 0; i < 2; i++)
		if (a->characters[i] != b->characters[i])
			return a->characters[i] > b->characters[i] ? -1 : 1;
	if (a->piece != b->piece)
		return a->piece < b->piece ? -1 : 1;
	return a->ids[0] != b->ids[0] ? (a->ids[0] < b->ids[0] ? -1 : 1)
				      : (a->ids[1] > b->ids[1]) - (a->ids[1] < b->ids[1]);
}

static uint32_t count(const char *s, size_t n)
{
	uint32_t characters = 0;

	for (size_t i = 0; i < n; i += uchar_size(s[i]))
		characters++;
	return characters;
}

struct merges {
	struct merge *v;
	size_t n, cap;
};

static int find_merges(
	const struct spm *s, const struct vocab *vocab, struct merges *m, struct err *err)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct spm_piece *p = &s->pieces[i];
		uint32_t all = count(p->text, p->n), before = 1;

		for (size_t at = p->n ? uchar_size(*p->text) : 0; at < p->n;
			at += uchar_size(p->text[at]), before++) {
			struct merge one = {
				.piece = (uint32_t)i, .left = (uint32_t)at, .score = p->score};

			one.ids[0] = vocab_get(vocab, p->text, at);
			one.ids[1] = vocab_get(vocab, p->text + at, p->n - at);
			if (one.ids[0] < 0 || one.ids[1] < 0)
				continue;
			one.characters[0] = before;
			one.characters[1] = all - before;
			if (mem_grow(&m->v, &m->cap, m->n + 1, sizeof *m->v, err))
				return -1;
			m->v[m->n++] = one;
		}
	}
	qsort(m->v, m->n, sizeof *m->v, compare);
	return 0;
}

static int put_bpe(struct buf *json, const struct spm *s, struct err *err)
{
	struct vocab vocab = VOCAB_INIT;
	struct merges merges = {.v = NULL};
	int rc = 0;

	buf_add_str(json, "{\"type\":\"BPE\",\"unk_token\":");
	json_quote(json, s->pieces[s->unk].text, s->pieces[s->unk].n);
	buf_add_str(json, ",\"fuse_unk\":true,\"byte_fallback\":true,\"vocab\":{");
	for (size_t i = 0; i < s->n && rc == 0; i++) {
		rc = vocab_put(&vocab, s->pieces[i].text, s->pieces[i].n, (int32_t)i, err);
		json_quote(json, s->pieces[i].text, s->pieces[i].n);
		buf_add_fmt(json, ":%zu%s", i, i + 1 < s->n ? "," : "},\"merges\":[");
	}
	rc = rc ? -1 : find_merges(s, &vocab, &merges, err);
	for (size_t i = 0; i < merges.n && rc == 0; i++) {
		const struct spm_piece *p = &s->pieces[merges.v[i].piece];

		buf_add_str(json, i ? ",[" : "[");
		json_quote(json, p->text, merges.v[i].left);
		buf_add_char(json, ',');
		json_quote(json, p->text + merges.v[i].left, p->n - merges.v[i].left);
		buf_add_char(json, ']');
	}
	buf_add_str(json, "]}");
	vocab_release(&vocab);
	free(merges.v);
	return rc;
}

/* ---- */

static bool has_bytes(const struct spm *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->pieces[i].type == SPM_BYTE)
			return true;
	return false;
}

static void put_unigram(struct buf *json, const struct spm *s, enum family family)
{
	buf_add_fmt(json, "{\"type\":\"Unigram\",\"unk_id\":%d,\"byte_fallback\":%s,\"vocab\":[",
		(int)s->unk, has_bytes(s) ? "true" : "false");
	for (size_t i = 0; i < s->n; i++) {
		buf_add_str(json, i ? ",[" : "[");
		json_quote(json, s->pieces[i].text, s->pieces[i].n);
		buf_add_char(json, ',');
		json_put_number(json, s->pieces[i].score);
		buf_add_char(json, ']');
	}
	for (int i = EXTRA; family == T5 && i-- > 0;)
		buf_add_fmt(json, ",[\"<extra_id_%d>\",0.0]", i);
	buf_add_str(json, "]}");
}

#define REPLACE "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"" SPACE "\"}"
#define DECODERS                                                                                   \
	"\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{"     \
	"\"String\":\"" SPACE                                                                      \
	"\"},\"content\":\" \"},{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}"
#define METASPACE                                                                                  \
	"{\"type\":\"Metaspace\",\"replacement\":\"" SPACE                                         \
	"\",\"prepend_scheme\":\"always\",\"split\":true}"

/* Normalizer, pre-tokenizer and decoder. */
static void put_parts(struct buf *json, const struct spm *s, enum family family)
{
	if (family == LLAMA) {
		buf_add_str(json, "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[");
		if (s->dummy_prefix)
			buf_add_str(json, "{\"type\":\"Prepend\",\"prepend\":\"" SPACE "\"},");
		buf_add_str(json, REPLACE "]}," DECODERS);
		if (s->dummy_prefix)
			buf_add_str(json,
				",{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}");
		buf_add_str(json, "]},");
	} else if (family == GEMMA) {
		buf_add_str(json,
			"\"normalizer\":" REPLACE ",\"pre_tokenizer\":{\"type\":\"Split\","
			"\"pattern\":{\"String\":\" \"},\"behavior\":\"MergedWithPrevious\","
			"\"invert\":false}," DECODERS "]},");
	} else {
		buf_add_str(json, "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[");
		if (s->charsmap) {
			buf_add_str(json, "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"");
			base64_encode(json, s->charsmap, s->charsmap_n);
			buf_add_str(json, "\"},");
		}
		buf_add_str(json,
			"{\"type\":\"Strip\",\"strip_left\":false,\"strip_right\":true},"
			"{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" "
			"{2,}\"},\"content\":\"" SPACE "\"}]},\"pre_tokenizer\":" METASPACE
			",\"decoder\":" METASPACE ",");
	}
}

/* Single text with one token before or behind it. */
static void put_processor(struct buf *json, const struct spm *s, int64_t id, bool before)
{
	const struct spm_piece *p = &s->pieces[id];
	struct buf special = BUF_INIT;

	buf_add_str(&special, "{\"SpecialToken\":{\"id\":\"x\",\"type_id\":0}}");
	buf_add_str(json, "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[");
	buf_add_fmt(json, "%s%s{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}%s%s",
		before ? special.data : "", before ? "," : "", before ? "" : ",",
		before ? "" : special.data);
	buf_add_fmt(json,
		"],\"pair\":[],\"special_tokens\":{\"x\":{\"id\":\"x\",\"ids\":[%d],\"tokens\":[",
		(int)id);
	json_quote(json, p->text, p->n);
	buf_add_str(json, "]}}},");
	buf_release(&special);
}

/* Pieces that stand for no text, and those that are found in it before all else. */
static void put_added(
	struct buf *json, const struct spm *s, enum family family, const struct json *config)
{
	struct buf first = BUF_INIT;

	for (size_t i = 0; i < s->n; i++) {
		const struct spm_piece *p = &s->pieces[i];
		bool special = p->type == SPM_CONTROL || p->type == SPM_UNKNOWN;

		if (!special && p->type != SPM_USER_DEFINED)
			continue;
		buf_add_fmt(&first, "%s{\"content\":", first.len ? "," : "");
		json_quote(&first, p->text, p->n);
		buf_add_fmt(&first, ",\"normalized\":false,\"special\":%s}",
			special ? "true" : "false");
	}
	for (int i = 0; family == T5 && i < EXTRA; i++)
		buf_add_fmt(&first,
			"%s{\"content\":\"<extra_id_%d>\",\"normalized\":false,\"special\":true}",
			first.len ? "," : "", i);
	json->failed |= first.failed;
	source_added(json, first.data, config);
	buf_release(&first);
}

static int find_family(
	const struct spm *s, const struct json *config, enum family *out, struct err *err)
{
	static const struct {
		const char *class;
		enum family family;
	} classes[] = {{"LlamaTokenizer", LLAMA}, {"CodeLlamaTokenizer", LLAMA},
		{"GemmaTokenizer", GEMMA}, {"T5Tokenizer", T5}};
	const char *class = json_text(json_get(config, "tokenizer_class"));
	size_t n = class ? strlen(class) : 0;

	*out = s->bpe ? LLAMA : PLAIN;
	if (n > 4 && !strcmp(class + n - 4, "Fast"))
		n -= 4;
	for (size_t i = 0; class && i < sizeof classes / sizeof *classes; i++) {
		if (strlen(classes[i].class) == n && !strncmp(class, classes[i].class, n)) {
			*out = classes[i].family;
			return 0;
		}
	}
	return class && strcmp(class, "PreTrainedTokenizerFast")
		       ? err_set(err, ERR_FAILED, "the class %s is not supported", class)
		       : 0;
}

static int put_all(struct buf *json, struct spm *s, const struct json *config, struct err *err)
{
	enum family family;
	int rc = find_family(s, config, &family, err);

	if (rc == 0 && (s->unk < 0 || (size_t)s->unk >= s->n || s->bos >= (int64_t)s->n ||
			       s->eos >= (int64_t)s->n))
		rc = err_set(err, ERR_CORRUPT, "an unknown, BOS or EOS token beyond the %zu pieces",
			s->n);
	if (rc)
		return -1;
	buf_add_str(json, "{\"version\":\"1.0\",");
	put_parts(json, s, family);
	if ((family == LLAMA || family == GEMMA) && s->bos >= 0)
		put_processor(json, s, s->bos, true);
	else if (family == T5 && s->eos >= 0)
		put_processor(json, s, s->eos, false);
	put_added(json, s, family, config);
	buf_add_str(json, ",\"model\":");
	if (s->bpe)
		rc = put_bpe(json, s, err);
	else
		put_unigram(json, s, family);
	buf_add_char(json, '}');
	return rc;
}

int source_spm(
	const void *bytes, size_t n, const struct json *config, struct buf *json, struct err *err)
{
	struct spm s;
	int rc = spm_parse(&s, bytes, n, err) || put_all(json, &s, config, err) ? -1 : 0;

	spm_release(&s);
	return rc ? -1 : buf_check(json, err);
}
