#include "text/sequences.h"

#include <string.h>

/* A sequence within ids. */
struct place {
	size_t at, n, prompt,
		uncounted; /* uncounted: of its first tokens, those of the prompt included */
	size_t cut_prompt, cut_completion;
};

int sequences_init(struct sequences *s, const struct tokenizer *t, struct err *err)
{
	*s = (struct sequences){.t = t, .encoder = encoder_new(t, err)};
	return s->encoder ? 0 : -1;
}

void sequences_release(struct sequences *s)
{
	encoder_free(s->encoder);
	buf_release(&s->text);
	buf_release(&s->plain);
	ids_release(&s->pieces);
	free(s->piece_at);
	free(s->piece_before);
	ids_release(&s->ids);
	free(s->place);
	ids_release(&s->tokens);
	free(s->seg);
	free(s->skip);
	free(s->cut);
}

void sequences_clear(struct sequences *s)
{
	s->pieces.n = s->n = s->ids.n = s->made = 0;
	s->merged = false;
	s->eos_lost = 0;
}

/* ---- text */

static void add_segment(struct sequences *s, const struct pref_rec *in, int segment)
{
	size_t n = (size_t)pref_len(in, segment);
	char *plain = in->plain ? NULL : buf_extend(&s->plain, n);

	buf_add(&s->text, in->text + in->seg[segment], n);
	if (in->plain)
		buf_add(&s->plain, in->plain + in->seg[segment], n);
	else if (plain)
		memset(plain, 0, n);
}

void sequences_text(struct sequences *s, const struct pref_rec *in, int a, int b)
{
	buf_clear(&s->text);
	buf_clear(&s->plain);
	add_segment(s, in, a);
	if (a != b)
		add_segment(s, in, b);
}

static void add_token_text(struct sequences *s, const char *text, size_t n)
{
	char *plain = buf_extend(&s->plain, n);

	buf_add(&s->text, text, n);
	if (plain)
		memset(plain, 0, n);
}

void sequences_text_eos(struct sequences *s, const char *space)
{
	size_t n, len = s->text.len;
	const char *eos = tokenizer_eos_text(s->t, &n);

	if (n <= len && !memcmp(s->text.data + len - n, eos, n) && !s->plain.data[len - 1])
		return;
	add_token_text(s, space, strlen(space));
	add_token_text(s, eos, n);
}

/* ---- pieces */

int sequences_encode(struct sequences *s, size_t place, unsigned flags, struct err *err)
{
	const uint8_t *plain = (const uint8_t *)s->plain.data;
	size_t n = s->text.len;

	if (buf_check(&s->text, err) || buf_check(&s->plain, err) ||
		mem_grow(&s->piece_at, &s->at_cap, s->n + 2, sizeof *s->piece_at, err) ||
		mem_grow(&s->piece_before, &s->before_cap, s->n + 1, sizeof *s->piece_before, err))
		return -1;
	if (n && !memchr(plain, 1, n))
		plain = NULL;
	s->piece_at[s->n] = s->pieces.n;
	if (encoder_encode_at(s->encoder, s->text.data, plain, n, place, flags, &s->pieces,
		    &s->piece_before[s->n], err))
		return -1;
	s->piece_at[++s->n] = s->pieces.n;
	return 0;
}

int sequences_encode_id(struct sequences *s, int32_t id, struct err *err)
{
	if (ids_add(&s->pieces, id, err))
		return -1;
	s->piece_at[s->n] = s->pieces.n;
	return 0;
}

struct piece sequences_piece(const struct sequences *s, size_t i)
{
	return (struct piece){s->pieces.v + s->piece_at[i], s->piece_at[i + 1] - s->piece_at[i],
		s->piece_before[i]};
}

struct piece piece_part(struct piece p, size_t from, size_t n)
{
	from = from < p.n ? from : p.n;
	return (struct piece){p.v + from, n < p.n - from ? n : p.n - from, 0};
}

/* ---- sequences */

static int add_piece(struct sequences *s, struct piece p, struct err *err)
{
	if (ids_reserve(&s->ids, p.n, err))
		return -1;
	if (p.n)
		memcpy(s->ids.v + s->ids.n, p.v, p.n * sizeof *p.v);
	s->ids.n += p.n;
	return 0;
}

int sequences_add(struct sequences *s, const struct sequence *q, struct err *err)
{
	struct place place = {.at = s->ids.n,
		.prompt = q->prompt[0].n + q->prompt[1].n,
		.cut_prompt = q->cut_prompt,
		.cut_completion = q->cut_completion};

	if (mem_grow(&s->place, &s->place_cap, s->made + 1, sizeof *s->place, err) ||
		add_piece(s, q->prompt[0], err) || add_piece(s, q->prompt[1], err) ||
		add_piece(s, q->completion, err))
		return -1;
	place.n = s->ids.n - place.at;
	place.uncounted = place.prompt + q->uncounted;
	s->place[s->made++] = place;
	return 0;
}

void sequences_end_with(struct sequences *s, int32_t id)
{
	const struct place *last = &s->place[s->made - 1];

	if (last->n)
		s->ids.v[last->at + last->n - 1] = id;
}

/* How many tokens all sequences begin with alike that carry no loss in any. */
static size_t common(const struct sequences *s)
{
	const struct place *first = s->place;
	size_t n = first->uncounted, same;

	for (size_t i = 1; i < s->made; i++) {
		const struct place *p = &s->place[i];

		if (p->uncounted < n)
			n = p->uncounted;
		for (same = 0; same < n && s->ids.v[first->at + same] == s->ids.v[p->at + same];
			same++)
			;
		n = same;
	}
	return n;
}

static enum sequences_fate check(const struct sequences *s)
{
	for (size_t i = 0; i < s->made; i++) {
		const struct place *p = &s->place[i];

		if (p->n <= (p->uncounted ? p->uncounted : 1))
			return p->cut_completion ? SEQUENCES_TOO_LONG : SEQUENCES_EMPTY;
	}
	return SEQUENCES_MADE;
}

enum sequences_fate sequences_record(
	struct sequences *s, const struct pref_rec *in, struct pref_rec *out, struct err *err)
{
	enum sequences_fate fate = check(s);
	size_t prompt;

	if (fate != SEQUENCES_MADE)
		return fate;
	s->tokens.n = 0;
	if (mem_grow(&s->seg, &s->seg_cap, s->made + 2, sizeof *s->seg, err) ||
		mem_grow(&s->skip, &s->skip_cap, s->made, sizeof *s->skip, err) ||
		mem_grow(&s->cut, &s->cut_cap, 2 * s->made, sizeof *s->cut, err) ||
		ids_reserve(&s->tokens, s->ids.n, err))
		return SEQUENCES_FAILED;
	prompt = common(s);
	memcpy(s->tokens.v, s->ids.v + s->place[0].at, prompt * sizeof *s->ids.v);
	s->tokens.n = prompt;
	s->seg[0] = 0;
	s->seg[1] = (int64_t)prompt;
	for (size_t i = 0; i < s->made; i++) {
		const struct place *p = &s->place[i];

		memcpy(s->tokens.v + s->tokens.n, s->ids.v + p->at + prompt,
			(p->n - prompt) * sizeof *s->ids.v);
		s->tokens.n += p->n - prompt;
		s->seg[i + 2] = (int64_t)s->tokens.n;
		s->skip[i] = (int32_t)(p->uncounted - prompt);
		s->cut[2 * i] = (int32_t)p->cut_prompt;
		s->cut[2 * i + 1] = (int32_t)p->cut_completion;
	}
	*out = (struct pref_rec){.id = in->id,
		.k = in->k,
		.seg = s->seg,
		.tokens = s->tokens.v,
		.skip = s->skip,
		.label = in->label,
		.cut = s->cut,
		.meta = in->meta,
		.meta_len = in->meta_len};
	return SEQUENCES_MADE;
}
