#include "text/pretokenize_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/field.h"
#include "text/scan.h"
#include "text/uchar.h"

static int load(struct pretokenize *t, const struct json *v, struct err *err);

static int load_behavior(const struct json *v, enum split_behavior *out, struct err *err)
{
	static const char *const names[] = {
		"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"};
	const char *name = json_text(json_get(v, "behavior"));

	for (size_t i = 0; name && i < sizeof names / sizeof *names; i++) {
		if (!strcmp(name, names[i])) {
			*out = (enum split_behavior)i;
			return 0;
		}
	}
	return err_set(err, ERR_CORRUPT, "the behavior '%s' is none", name ? name : "");
}

static int load_split(const struct json *v, struct split_step *step, struct err *err)
{
	step->kind = SPLIT_BY_PATTERN;
	step->pattern = pattern_new(json_get(v, "pattern"), err);
	if (!step->pattern || load_behavior(v, &step->behavior, err))
		return -1;
	return field_bool(v, "invert", true, &step->invert, err);
}

static int load_byte_level(const struct json *v, struct split_step *step, struct err *err)
{
	bool use_regex = true;

	step->kind = SPLIT_BYTE_LEVEL;
	if (field_bool(v, "add_prefix_space", false, &step->prefix_space, err) ||
		field_bool(v, "use_regex", true, &use_regex, err))
		return -1;
	step->behavior = SPLIT_ISOLATED;
	if (use_regex)
		step->pattern = pattern_new_regex(scan_gpt2_regex, strlen(scan_gpt2_regex), err);
	return use_regex && !step->pattern ? -1 : 0;
}

static int load_delimiter(const struct json *v, struct split_step *step, struct err *err)
{
	size_t n;
	const char *text = json_string(json_get(v, "delimiter"), &n);

	step->kind = SPLIT_BY_PATTERN;
	step->behavior = SPLIT_REMOVED;
	if (!text || !n || uchar_size(*text) != n)
		return err_set(err, ERR_CORRUPT, "delimiter must be one character");
	step->pattern = pattern_new_string(text, n, err);
	return step->pattern ? 0 : -1;
}

static int load_step(
	const struct json *v, const char *type, struct split_step *step, struct err *err)
{
	bool each = false;

	if (!strcmp(type, "ByteLevel"))
		return load_byte_level(v, step, err);
	if (!strcmp(type, "Split"))
		return load_split(v, step, err);
	if (!strcmp(type, "Metaspace")) {
		step->kind = SPLIT_METASPACE;
		return metaspace_load(&step->metaspace, v, err);
	}
	if (!strcmp(type, "CharDelimiterSplit"))
		return load_delimiter(v, step, err);
	if (!strcmp(type, "FixedLength")) {
		step->kind = SPLIT_LENGTH;
		step->length = 5;
		return field_int(v, "length", true, INT32_MAX, &step->length, err) == 0 &&
				       step->length
			       ? 0
			       : err_set(err, ERR_CORRUPT, "length must be a number from 1");
	}
	step->kind = SPLIT_CHARACTERS;
	if (!strcmp(type, "Digits")) {
		if (field_bool(v, "individual_digits", false, &each, err))
			return -1;
		step->is_match = uchar_is_numeric;
		step->behavior = each ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS;
		return 0;
	}
	if (!strcmp(type, "Punctuation")) {
		step->is_match = uchar_is_punctuation;
		step->behavior = SPLIT_ISOLATED;
		return json_get(v, "behavior") ? load_behavior(v, &step->behavior, err) : 0;
	}
	if (!strcmp(type, "WhitespaceSplit")) {
		step->is_match = uchar_is_space;
		step->behavior = SPLIT_REMOVED;
		return 0;
	}
	step->kind = SPLIT_WORDS;
	return strcmp(type, "Whitespace") ? err_set(err, ERR_FAILED, "not supported") : 0;
}

static int load_sequence(struct pretokenize *t, const struct json *list, struct err *err)
{
	if (json_kind(list) != JSON_ARRAY)
		return err_set(
			err, ERR_CORRUPT, "pre_tokenizer 'Sequence': pretokenizers is no list");
	for (const struct json *v = json_first(list); v; v = json_next(v))
		if (load(t, v, err))
			return -1;
	return 0;
}

static int add_characters(struct pretokenize *t, bool (*is_match)(uint32_t cp),
	enum split_behavior behavior, struct err *err)
{
	if (mem_grow(&t->steps, &t->cap, t->n + 1, sizeof *t->steps, err))
		return -1;
	t->steps[t->n++] = (struct split_step){
		.kind = SPLIT_CHARACTERS, .is_match = is_match, .behavior = behavior};
	return 0;
}

static int load(struct pretokenize *t, const struct json *v, struct err *err)
{
	const char *type = json_text(json_get(v, "type"));

	if (!type)
		return err_set(err, ERR_CORRUPT, "a pre_tokenizer without a type");
	if (!strcmp(type, "Sequence"))
		return load_sequence(t, json_get(v, "pretokenizers"), err);
	if (!strcmp(type, "BertPreTokenizer"))
		return add_characters(t, uchar_is_space, SPLIT_REMOVED, err) ||
				       add_characters(t, uchar_is_punctuation, SPLIT_ISOLATED, err)
			       ? -1
			       : 0;
	if (mem_grow(&t->steps, &t->cap, t->n + 1, sizeof *t->steps, err))
		return -1;
	memset(&t->steps[t->n], 0, sizeof *t->steps);
	if (load_step(v, type, &t->steps[t->n++], err))
		return err_at(err, "pre_tokenizer '%s'", type);
	return 0;
}

struct pretokenize *pretokenize_new(const struct json *v, struct err *err)
{
	struct pretokenize *t = mem_new(1, sizeof *t, err);

	if (t && json_kind(v) != JSON_NONE && json_kind(v) != JSON_NULL && load(t, v, err)) {
		pretokenize_free(t);
		return NULL;
	}
	return t;
}

void pretokenize_free(struct pretokenize *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		pattern_free(t->steps[i].pattern);
	free(t->steps);
	free(t);
}

bool pretokenize_is_byte_level(const struct pretokenize *t)
{
	return t->n && t->steps[t->n - 1].kind == SPLIT_BYTE_LEVEL;
}
