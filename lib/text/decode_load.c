#include "text/decode_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/field.h"
#include "text/uchar.h"

static int load(struct decode *d, const struct json *v, struct err *err);

static int load_step(
	const struct json *v, const char *type, struct decode_step *step, struct err *err)
{
	static const struct {
		const char *name;
		enum decode_kind kind;
	} kinds[] = {{"ByteLevel", DECODE_BYTE_LEVEL}, {"ByteFallback", DECODE_BYTE_FALLBACK},
		{"Fuse", DECODE_FUSE}, {"Metaspace", DECODE_METASPACE},
		{"WordPiece", DECODE_WORDPIECE}, {"Replace", DECODE_REPLACE},
		{"Strip", DECODE_STRIP}, {"BPEDecoder", DECODE_SUFFIX}, {"CTC", DECODE_CTC}};
	size_t i = 0, size = sizeof kinds / sizeof *kinds;

	while (i < size && strcmp(kinds[i].name, type))
		i++;
	if (i == size)
		return err_set(err, ERR_FAILED, "not supported");
	step->kind = kinds[i].kind;
	switch (step->kind) {
	case DECODE_METASPACE:
		return metaspace_load(&step->metaspace, v, err);
	case DECODE_WORDPIECE:
		return field_string(v, "prefix", false, &step->text, &step->n, err) ||
				       field_bool(v, "cleanup", false, &step->cleanup, err)
			       ? -1
			       : 0;
	case DECODE_REPLACE:
		step->pattern = pattern_new(json_get(v, "pattern"), err);
		return step->pattern ? field_string(v, "content", false, &step->text, &step->n, err)
				     : -1;
	case DECODE_STRIP:
		if (field_string(v, "content", false, &step->text, &step->n, err) ||
			field_int(v, "start", false, INT32_MAX, &step->start, err) ||
			field_int(v, "stop", false, INT32_MAX, &step->stop, err))
			return -1;
		return step->n && uchar_size(*step->text) == step->n
			       ? 0
			       : err_set(err, ERR_CORRUPT, "content must be one character");
	case DECODE_SUFFIX:
		return field_string(v, "suffix", false, &step->text, &step->n, err);
	case DECODE_CTC:
		return field_string(v, "pad_token", false, &step->text, &step->n, err) ||
				       field_string(v, "word_delimiter_token", false, &step->space,
					       &step->space_n, err) ||
				       field_bool(v, "cleanup", false, &step->cleanup, err)
			       ? -1
			       : 0;
	default:
		return 0;
	}
}

static struct decode_step *add_step(struct decode *d, struct err *err)
{
	const struct decode_step *last = d->n ? &d->steps[d->n - 1] : NULL;
	bool fused = last &&
		     (last->fused || last->kind == DECODE_FUSE || last->kind == DECODE_BYTE_LEVEL);

	if (mem_grow(&d->steps, &d->cap, d->n + 1, sizeof *d->steps, err))
		return NULL;
	d->steps[d->n] = (struct decode_step){.kind = DECODE_JOIN, .fused = fused};
	return &d->steps[d->n++];
}

static int load_sequence(struct decode *d, const struct json *list, struct err *err)
{
	if (json_kind(list) != JSON_ARRAY)
		return err_set(err, ERR_CORRUPT, "decoder 'Sequence': decoders is no list");
	for (const struct json *v = json_first(list); v; v = json_next(v))
		if (load(d, v, err))
			return -1;
	return 0;
}

static int load(struct decode *d, const struct json *v, struct err *err)
{
	const char *type = json_text(json_get(v, "type"));
	struct decode_step *step;

	if (!type)
		return err_set(err, ERR_CORRUPT, "a decoder without a type");
	if (!strcmp(type, "Sequence"))
		return load_sequence(d, json_get(v, "decoders"), err);
	step = add_step(d, err);
	if (!step)
		return -1;
	return load_step(v, type, step, err) ? err_at(err, "decoder '%s'", type) : 0;
}

struct decode *decode_new(const struct json *v, struct err *err)
{
	struct decode *d = mem_new(1, sizeof *d, err);
	bool none = json_kind(v) == JSON_NONE || json_kind(v) == JSON_NULL;

	if (d && (none ? !add_step(d, err) : load(d, v, err))) {
		decode_free(d);
		return NULL;
	}
	return d;
}

void decode_free(struct decode *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n; i++) {
		free(d->steps[i].text);
		free(d->steps[i].space);
		pattern_free(d->steps[i].pattern);
	}
	free(d->steps);
	free(d);
}
