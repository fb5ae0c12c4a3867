#include "text/spm.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

/* A field of a message: a number, or n bytes at s. */
struct field {
	uint64_t number; /* of the field */
	uint64_t value;
	const char *s;
	size_t n;
};

static bool read_varint(const char **s, const char *end, uint64_t *out)
{
	*out = 0;
	for (int shift = 0; shift < 64 && *s < end; shift += 7) {
		unsigned char c = (unsigned char)*(*s)++;

		*out |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80)
			return true;
	}
	return false;
}

/* The next field of a message; 1, 0 at its end, or -1. */
static int next_field(const char **s, const char *end, struct field *f, struct err *err)
{
	uint64_t key, size;

	if (*s == end)
		return 0;
	if (!read_varint(s, end, &key))
		goto bad;
	*f = (struct field){.number = key >> 3};
	switch (key & 7) {
	case 0:
		if (!read_varint(s, end, &f->value))
			goto bad;
		return 1;
	case 1:
	case 5:
		size = key & 4 ? 4 : 8;
		break;
	case 2:
		if (!read_varint(s, end, &size))
			goto bad;
		break;
	default:
		goto bad;
	}
	if (size > (uint64_t)(end - *s))
		goto bad;
	f->s = *s;
	f->n = (size_t)size;
	*s += size;
	return 1;
bad:
	return err_set(err, ERR_CORRUPT, "not SentencePiece's, cut off or damaged");
}

static int read_piece(struct spm *s, const struct field *message, struct err *err)
{
	const char *at = message->s, *end = at + message->n;
	struct spm_piece piece = {.type = SPM_NORMAL};
	struct field f;
	int rc;

	while ((rc = next_field(&at, end, &f, err)) == 1) {
		if (f.number == 1 && f.s) {
			piece.text = f.s;
			piece.n = f.n;
		} else if (f.number == 2 && f.n == sizeof piece.score) {
			memcpy(&piece.score, f.s, sizeof piece.score);
		} else if (f.number == 3 && f.value >= SPM_NORMAL && f.value <= SPM_BYTE) {
			piece.type = (enum spm_type)f.value;
		}
	}
	if (rc)
		return -1;
	if (!piece.text || utf8_valid_prefix(piece.text, piece.n) < piece.n)
		return err_set(err, ERR_CORRUPT, "piece %zu has no text", s->n);
	if (!(piece.score >= -1e30f && piece.score <= 1e30f))
		return err_set(err, ERR_CORRUPT, "piece %zu has no score", s->n);
	if (mem_grow(&s->pieces, &s->cap, s->n + 1, sizeof *s->pieces, err))
		return -1;
	s->pieces[s->n++] = piece;
	return 0;
}

static int read_trainer(struct spm *s, const struct field *message, struct err *err)
{
	const char *at = message->s, *end = at + message->n;
	struct field f;
	int rc;

	while ((rc = next_field(&at, end, &f, err)) == 1) {
		if (f.number == 3 && f.value != 1 && f.value != 2)
			return err_set(err, ERR_FAILED, "a model of kind %llu is not supported",
				(unsigned long long)f.value);
		if (f.number == 3)
			s->bpe = f.value == 2;
		else if (f.number == 40)
			s->unk = (int32_t)f.value;
		else if (f.number == 41)
			s->bos = (int32_t)f.value;
		else if (f.number == 42)
			s->eos = (int32_t)f.value;
	}
	return rc;
}

static int read_normalizer(struct spm *s, const struct field *message, struct err *err)
{
	const char *at = message->s, *end = at + message->n;
	struct field f;
	int rc;

	while ((rc = next_field(&at, end, &f, err)) == 1) {
		if (f.number == 2 && f.n) {
			s->charsmap = f.s;
			s->charsmap_n = f.n;
		} else if (f.number == 3) {
			s->dummy_prefix = f.value;
		}
	}
	return rc;
}

int spm_parse(struct spm *s, const void *bytes, size_t n, struct err *err)
{
	const char *at = bytes, *end = at + n;
	struct field f;
	int rc;

	*s = (struct spm){.unk = 0, .bos = 1, .eos = 2, .dummy_prefix = true};
	while ((rc = next_field(&at, end, &f, err)) == 1) {
		if (!f.s || f.number > 3)
			continue;
		if (f.number == 1	? read_piece(s, &f, err)
			: f.number == 2 ? read_trainer(s, &f, err)
					: read_normalizer(s, &f, err))
			return -1;
	}
	if (rc == 0 && !s->n)
		rc = err_set(err, ERR_CORRUPT, "no pieces");
	return rc;
}

void spm_release(struct spm *s)
{
	free(s->pieces);
	s->pieces = NULL;
}
