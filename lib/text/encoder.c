#include "text/tokenizer.h"

#include "base/utf8.h"
#include "text/tokenizer_impl.h"
#include "text/uchar.h"

#define TEXT_MAX ((size_t)1 << 30)

struct encoder {
	const struct tokenizer *t;
	struct matcher *matcher;
	struct normalize_work normalize;
	struct pretokenize_work pretokenize;
	struct wordmodel_work *model;
};

struct encoder *encoder_new(const struct tokenizer *t, struct err *err)
{
	struct encoder *e = mem_new(1, sizeof *e, err);

	if (!e)
		return NULL;
	e->t = t;
	e->matcher = matcher_new(err);
	e->model = e->matcher ? wordmodel_work_new(t->model, err) : NULL;
	if (!e->model) {
		encoder_free(e);
		return NULL;
	}
	return e;
}

void encoder_free(struct encoder *e)
{
	if (!e)
		return;
	matcher_free(e->matcher);
	normalize_work_release(&e->normalize);
	pretokenize_work_release(&e->pretokenize);
	wordmodel_work_free(e->model);
	free(e);
}

/* A place of a text, as one of the n bytes of it that begin at `at`. */
static size_t within(size_t place, size_t at, size_t n)
{
	return place <= at ? 0 : place - at < n ? place - at : n;
}

static int encode_words(struct encoder *e, const char *text, size_t n, struct places places,
	struct ids *out, size_t *before, struct err *err)
{
	const struct tokenizer *t = e->t;
	const struct words *words = pretokenize_run(
		t->pretokenize, &e->pretokenize, e->matcher, &text, &n, &places, err);

	if (!words)
		return -1;
	return wordmodel_encode(e->model, text, n, words->v, words->n, t->byte_level, places.at[1], out,
		before, err);
}

/* A piece between added tokens of the first pass. */
static int encode_piece(struct encoder *e, const char *text, size_t n, struct places places,
	struct ids *out, size_t *before, struct err *err)
{
	const struct tokenizer *t = e->t;
	struct added_walk walk;
	struct added_piece piece;
	struct places inner = {.at = {0}};

	if (normalize_run(t->normalize, &e->normalize, e->matcher, &text, &n, &places, err))
		return -1;
	walk = (struct added_walk)ADDED_WALK(&t->normalized, text, places.plain, n);
	while (added_next(&walk, &piece)) {
		if (piece.id >= 0) {
			if (ids_add(out, piece.id, err))
				return -1;
			if (piece.end <= places.at[1])
				*before = out->n;
			continue;
		}
		for (int i = 0; i < 2; i++)
			inner.at[i] = within(places.at[i], piece.at, piece.end - piece.at);
		if (encode_words(e, text + piece.at, piece.end - piece.at, inner, out, before, err))
			return -1;
	}
	return 0;
}

static int encode_text(struct encoder *e, const char *text, const uint8_t *plain, size_t n,
	size_t place, struct ids *out, size_t *before, struct err *err)
{
	struct added_walk walk = ADDED_WALK(&e->t->raw, text, plain, n);
	struct added_piece piece;

	while (added_next(&walk, &piece)) {
		size_t size = piece.end - piece.at;
		struct places places = {
			.at = {piece.at == 0 ? uchar_size(*text) : 0, within(place, piece.at, size)},
			.plain = plain ? plain + piece.at : NULL};

		if (piece.id < 0) {
			if (encode_piece(e, text + piece.at, size, places, out, before, err))
				return -1;
			continue;
		}
		if (ids_add(out, piece.id, err))
			return -1;
		if (piece.end <= place)
			*before = out->n;
	}
	return 0;
}

static int add_all(struct ids *out, const struct ids *ids, struct err *err)
{
	if (ids_reserve(out, ids->n, err))
		return -1;
	for (size_t i = 0; i < ids->n; i++)
		out->v[out->n++] = ids->v[i];
	return 0;
}

int encoder_encode_at(struct encoder *e, const char *text, const uint8_t *plain, size_t n,
	size_t place, unsigned flags, struct ids *out, size_t *before, struct err *err)
{
	bool special = flags & ENCODE_SPECIAL;
	size_t start = out->n, valid = utf8_valid_prefix(text, n), behind;

	if (n > TEXT_MAX)
		return err_set(err, ERR_LIMIT, "text of %zu bytes, the most is %zu", n, TEXT_MAX);
	if (valid < n)
		return err_set(err, ERR_CORRUPT, "byte %zu of the text is not valid UTF-8", valid);
	if (special && add_all(out, &e->t->before, err))
		goto fail;
	behind = out->n;
	if (encode_text(e, text, plain, n, place, out, &behind, err) ||
		(special && add_all(out, &e->t->after, err)))
		goto fail;
	*before = behind - start;
	return 0;
fail:
	out->n = start;
	return -1;
}

int encoder_encode(struct encoder *e, const char *text, size_t n, unsigned flags, struct ids *out,
	struct err *err)
{
	size_t ignored;

	return encoder_encode_at(e, text, NULL, n, 0, flags, out, &ignored, err);
}
