#include "text/decode_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "text/bpe.h"
#include "text/uchar.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD, for what is not UTF-8 */

struct state {
	size_t seen;	 /* tokens; of a fused one, in STRIP, characters that were cut */
	bool begun;	 /* STRIP: nothing more is to be cut in front */
	struct buf held; /* waits for what comes next */
	struct buf made[2];
};

struct decode_work {
	const struct decode *decode;
	struct state *now, *peek; /* of each step */
};

struct decode_work *decode_work_new(const struct decode *d, struct err *err)
{
	struct decode_work *w = mem_new(1, sizeof *w, err);

	if (!w)
		return NULL;
	w->decode = d;
	w->now = mem_new(d->n, sizeof *w->now, err);
	w->peek = w->now ? mem_new(d->n, sizeof *w->peek, err) : NULL;
	if (!w->peek) {
		decode_work_free(w);
		return NULL;
	}
	return w;
}

static void release(struct state *states, size_t n)
{
	for (size_t i = 0; states && i < n; i++) {
		buf_release(&states[i].held);
		buf_release(&states[i].made[0]);
		buf_release(&states[i].made[1]);
	}
	free(states);
}

void decode_work_free(struct decode_work *w)
{
	if (!w)
		return;
	release(w->now, w->decode->n);
	release(w->peek, w->decode->n);
	free(w);
}

/* ---- steps */

struct run {
	const struct decode *decode;
	struct state *states;
	struct matcher *m;
	struct buf *out;
	struct err *err;
};

/* Into step i: a token, or a piece of the one token that there is. */
static int take(struct run *r, size_t i, const char *s, size_t n);

/* What step i made goes on. */
static int give(struct run *r, size_t i, const char *s, size_t n)
{
	struct state *state = &r->states[i];

	for (int j = 0; j < 2; j++)
		if (state->made[j].failed)
			return buf_check(&state->made[j], r->err);
	return take(r, i + 1, s, n);
}

/* Every `from` becomes `to`, in one of the state's two buffers; *s and *n follow. */
static void replace_all(struct state *state, const char **s, size_t *n, const char *from,
	size_t from_n, const char *to, size_t to_n)
{
	struct buf *made = &state->made[*s == state->made[0].data];
	const char *at, *end = *s + *n, *next = from_n ? memmem(*s, *n, from, from_n) : NULL;

	if (!next)
		return;
	buf_clear(made);
	for (at = *s; next; next = memmem(at, (size_t)(end - at), from, from_n)) {
		buf_add(made, at, (size_t)(next - at));
		buf_add(made, to, to_n);
		at = next + from_n;
	}
	buf_add(made, at, (size_t)(end - at));
	*s = made->data;
	*n = made->len;
}

/* What tokenization did to English, undone. */
static void clean_up(struct state *state, const char **s, size_t *n)
{
	static const char *const pairs[][2] = {{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","},
		{" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"},
		{" 've", "'ve"}, {" 're", "'re"}};

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		replace_all(state, s, n, pairs[i][0], strlen(pairs[i][0]), pairs[i][1],
			strlen(pairs[i][1]));
}

static int take_wordpiece(struct run *r, size_t i, bool first, const char *s, size_t n)
{
	const struct decode_step *step = &r->decode->steps[i];
	struct state *state = &r->states[i];

	if (!first && n >= step->n && !memcmp(s, step->text, step->n)) {
		s += step->n;
		n -= step->n;
	} else if (!first) {
		buf_clear(&state->made[0]);
		buf_add_char(&state->made[0], ' ');
		buf_add(&state->made[0], s, n);
		s = state->made[0].data;
		n = state->made[0].len;
	}
	if (step->cleanup)
		clean_up(state, &s, &n);
	return give(r, i, s, n);
}

static int take_ctc(struct run *r, size_t i, const char *s, size_t n)
{
	const struct decode_step *step = &r->decode->steps[i];
	struct state *state = &r->states[i];
	const struct buf *last = &state->held;

	if (!step->fused) {
		if (state->seen > 1 && last->len == n && !memcmp(last->data, s, n))
			return 0;
		buf_clear(&state->held);
		buf_add(&state->held, s, n);
	}
	replace_all(state, &s, &n, step->text, step->n, "", 0);
	if (step->cleanup) {
		clean_up(state, &s, &n);
		replace_all(state, &s, &n, step->space, step->space_n, " ", 1);
	}
	return n ? give(r, i, s, n) : 0;
}

static int take_replace(struct run *r, size_t i, const char *s, size_t n)
{
	const struct decode_step *step = &r->decode->steps[i];
	struct pattern_search search = PATTERN_SEARCH(s, n);
	struct buf *made = &r->states[i].made[0];
	size_t copied = 0;
	int found;

	if (!n)
		return take(r, i + 1, s, n);
	buf_clear(made);
	while ((found = pattern_next(step->pattern, r->m, &search, r->err)) > 0) {
		buf_add(made, s + copied, search.start - copied);
		buf_add(made, step->text, step->n);
		copied = search.end;
	}
	buf_add(made, s + copied, n - copied);
	if (found < 0 || buf_check(made, r->err))
		return -1;
	return take(r, i + 1, made->data, made->len);
}

/* How many bytes of `mark` repeated, at most `most` times, the n bytes at s begin with; or end with. */
static size_t marks(
	const char *s, size_t n, const struct decode_step *step, int64_t most, bool behind)
{
	size_t at = 0;

	for (; most > 0 && n - at >= step->n; most--, at += step->n)
		if (memcmp(behind ? s + n - at - step->n : s + at, step->text, step->n))
			break;
	return at;
}

/* Of a fused token, what is cut in front has been counted, and what may be cut behind is held. */
static int take_strip(struct run *r, size_t i, const char *s, size_t n)
{
	const struct decode_step *step = &r->decode->steps[i];
	struct state *state = &r->states[i];
	size_t cut;

	if (!step->fused || !state->begun) {
		cut = marks(s, n, step,
			step->fused ? step->start - (int64_t)state->seen : step->start, false);
		s += cut;
		n -= cut;
		if (step->fused) {
			state->seen += cut / step->n;
			state->begun = n > 0 || (int64_t)state->seen == step->start;
		}
	}
	if (!step->fused)
		return take(r, i + 1, s, n - marks(s, n, step, step->stop, true));
	if (!step->stop)
		return n ? take(r, i + 1, s, n) : 0;
	buf_clear(&state->made[0]);
	buf_add(&state->made[0], state->held.data, state->held.len);
	buf_add(&state->made[0], s, n);
	if (buf_check(&state->made[0], r->err))
		return -1;
	s = state->made[0].data;
	n = state->made[0].len;
	cut = marks(s, n, step, step->stop, true);
	buf_clear(&state->held);
	buf_add(&state->held, s + n - cut, cut);
	return n > cut ? take(r, i + 1, s, n - cut) : 0;
}

/* The byte that a token such as "<0x0A>" stands for, or -1. */
static int byte_of(const char *s, size_t n)
{
	char digits[3] = {0}, *end;
	long value;

	if (n != 6 || memcmp(s, "<0x", 3) || s[5] != '>')
		return -1;
	memcpy(digits, s + 3, 2);
	if (!(digits[0] == '+' || strspn(digits, "0123456789abcdefABCDEF") == 2))
		return -1;
	value = strtol(digits, &end, 16);
	return end == digits + 2 ? (int)value : -1;
}

static int flush_bytes(struct run *r, size_t i)
{
	struct buf *held = &r->states[i].held;
	size_t n = held->len;

	if (!n)
		return 0;
	held->len = 0;
	if (utf8_valid_prefix(held->data, n) == n)
		return take(r, i + 1, held->data, n);
	while (n-- > 0)
		if (take(r, i + 1, REPLACEMENT, 3))
			return -1;
	return 0;
}

static int take_fallback(struct run *r, size_t i, const char *s, size_t n)
{
	int byte = byte_of(s, n);

	if (byte < 0)
		return flush_bytes(r, i) ? -1 : take(r, i + 1, s, n);
	buf_add_char(&r->states[i].held, (char)byte);
	return buf_check(&r->states[i].held, r->err);
}

/* Appends n bytes where each stretch that is not UTF-8 is one U+FFFD; returns what at the end may yet be more. */
static size_t add_lossy(struct buf *out, const char *s, size_t n, bool last)
{
	size_t valid;
	bool open;

	for (;;) {
		valid = utf8_valid_prefix(s, n);
		buf_add(out, s, valid);
		s += valid;
		n -= valid;
		if (!n)
			return 0;
		valid = utf8_broken(s, n, &open);
		if (open && !last)
			return n;
		buf_add_str(out, REPLACEMENT);
		s += valid;
		n -= valid;
	}
}

/* The bytes that a token's characters stand for; its own where one of them stands for none. */
static void add_bytes(struct buf *out, const char *s, size_t n)
{
	size_t start = out->len;
	const char *end = s + n, *at = s;
	int byte = 0;

	while (at < end && byte >= 0) {
		byte = bpe_character_byte(uchar_next(&at));
		buf_add_char(out, (char)byte);
	}
	if (byte < 0 && !out->failed) {
		out->len = start;
		buf_add(out, s, n);
	}
}

static int take_bytes(struct run *r, size_t i, const char *s, size_t n, bool last)
{
	struct buf *held = &r->states[i].held, *made = &r->states[i].made[0];
	size_t left;

	buf_clear(made);
	add_bytes(held, s, n);
	left = add_lossy(made, held->data, held->len, last);
	if (buf_check(held, r->err) || buf_check(made, r->err))
		return -1;
	memmove(held->data, held->data + held->len - left, left);
	held->len = left;
	return made->len ? take(r, i + 1, made->data, made->len) : 0;
}

static int take_metaspace(struct run *r, size_t i, bool first, const char *s, size_t n)
{
	const struct metaspace *m = &r->decode->steps[i].metaspace;
	struct state *state = &r->states[i];
	bool drop = first && m->prepend != METASPACE_NEVER;

	replace_all(state, &s, &n, m->mark, strlen(m->mark), " ", drop ? 0 : 1);
	return give(r, i, s, n);
}

/* Holds a token back, since the last one loses its suffix and the others get a space for it. */
static int take_suffix(struct run *r, size_t i, const char *s, size_t n)
{
	const struct decode_step *step = &r->decode->steps[i];
	struct state *state = &r->states[i];
	const char *held = state->held.data;
	size_t held_n = state->held.len;

	if (state->seen > 1) {
		replace_all(state, &held, &held_n, step->text, step->n, " ", 1);
		if (give(r, i, held, held_n))
			return -1;
	}
	buf_clear(&state->held);
	buf_add(&state->held, s, n);
	return 0;
}

/* Steps that look at a token as a whole wait for the end where it comes in pieces. */
static bool waits(const struct decode_step *step)
{
	return step->fused && (step->kind == DECODE_WORDPIECE || step->kind == DECODE_REPLACE ||
				      step->kind == DECODE_SUFFIX || step->kind == DECODE_CTC ||
				      step->kind == DECODE_BYTE_FALLBACK);
}

static int act(struct run *r, size_t i, const char *s, size_t n)
{
	const struct decode_step *step = &r->decode->steps[i];
	struct state *state = &r->states[i];
	bool first = step->fused || state->seen == 0;

	if (step->kind != DECODE_STRIP)
		state->seen++;
	switch (step->kind) {
	case DECODE_JOIN:
		if (!first)
			buf_add_char(r->out, ' ');
		return take(r, i + 1, s, n);
	case DECODE_BYTE_LEVEL:
		return take_bytes(r, i, s, n, false);
	case DECODE_BYTE_FALLBACK:
		return take_fallback(r, i, s, n);
	case DECODE_METASPACE:
		return take_metaspace(r, i, first, s, n);
	case DECODE_WORDPIECE:
		return take_wordpiece(r, i, first, s, n);
	case DECODE_REPLACE:
		return take_replace(r, i, s, n);
	case DECODE_STRIP:
		return take_strip(r, i, s, n);
	case DECODE_SUFFIX:
		return take_suffix(r, i, s, n);
	case DECODE_CTC:
		return take_ctc(r, i, s, n);
	default:
		return take(r, i + 1, s, n);
	}
}

static int take(struct run *r, size_t i, const char *s, size_t n)
{
	if (i == r->decode->n) {
		buf_add(r->out, s, n);
		return 0;
	}
	if (!waits(&r->decode->steps[i]))
		return act(r, i, s, n);
	buf_add(&r->states[i].held, s, n);
	return 0;
}

/* Nothing more comes into step i. */
static int finish(struct run *r, size_t i)
{
	const struct decode_step *step = &r->decode->steps[i];
	struct state *state = &r->states[i];
	struct buf whole = BUF_INIT;
	const char *held;
	size_t n;
	int result = 0;

	if (waits(step)) {
		whole = state->held;
		state->held = (struct buf)BUF_INIT;
		result = buf_check(&whole, r->err) || act(r, i, whole.data, whole.len) ? -1 : 0;
		buf_release(&whole);
	}
	if (result == 0 && step->kind == DECODE_BYTE_FALLBACK)
		return flush_bytes(r, i);
	if (result == 0 && step->kind == DECODE_BYTE_LEVEL)
		return take_bytes(r, i, "", 0, true);
	if (result == 0 && step->kind == DECODE_SUFFIX && state->seen) {
		held = state->held.data;
		n = state->held.len;
		replace_all(state, &held, &n, step->text, step->n, "", 0);
		return give(r, i, held, n);
	}
	return result;
}

static int finish_all(struct decode_work *w, struct state *states, struct matcher *m,
	struct buf *out, struct err *err)
{
	struct run r = {w->decode, states, m, out, err};

	for (size_t i = 0; i < w->decode->n; i++) {
		if (finish(&r, i) || buf_check(&states[i].held, err))
			return -1;
		states[i].seen = 0;
		states[i].begun = false;
		buf_clear(&states[i].held);
	}
	return buf_check(out, err);
}

int decode_token(struct decode_work *w, struct matcher *m, const char *token, size_t n,
	struct buf *out, struct err *err)
{
	struct run r = {w->decode, w->now, m, out, err};

	return take(&r, 0, token, n) ? -1 : buf_check(out, err);
}

int decode_end(struct decode_work *w, struct matcher *m, struct buf *out, struct err *err)
{
	return finish_all(w, w->now, m, out, err);
}

int decode_peek(struct decode_work *w, struct matcher *m, struct buf *out, struct err *err)
{
	for (size_t i = 0; i < w->decode->n; i++) {
		w->peek[i].seen = w->now[i].seen;
		w->peek[i].begun = w->now[i].begun;
		buf_clear(&w->peek[i].held);
		buf_add(&w->peek[i].held, w->now[i].held.data, w->now[i].held.len);
		if (buf_check(&w->peek[i].held, err))
			return -1;
	}
	return finish_all(w, w->peek, m, out, err);
}
