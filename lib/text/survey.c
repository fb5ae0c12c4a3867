#include "text/survey.h"

#include <stdio.h>
#include <string.h>

#include "io/json.h"

void survey_init(struct survey *s)
{
	*s = (struct survey){.records = HASH_SET_INIT, .prompts = HASH_SET_INIT, .prompts_out = HASH_SET_INIT};
}

void survey_release(struct survey *s)
{
	hash_set_release(&s->records);
	hash_set_release(&s->prompts);
	hash_set_release(&s->prompts_out);
}

static uint64_t hash_segment(const struct pref_rec *rec, int segment, uint64_t before)
{
	return hash_bytes(rec->text + rec->seg[segment], (size_t)pref_len(rec, segment), before);
}

int survey_hold_out(struct survey *s, const struct pref_rec *rec, struct err *err)
{
	s->held_out = true;
	return hash_set_add(&s->prompts_out, hash_segment(rec, 0, 0), err) < 0 ? -1 : 0;
}

static void count(struct survey *s, const struct survey_place *place, const struct fault *fault)
{
	uint64_t n = s->count[fault->code]++;

	if (n >= SURVEY_EXAMPLES)
		return;
	s->example[fault->code][n].place = *place;
	memcpy(s->example[fault->code][n].text, fault->text, sizeof fault->text);
}

void survey_put_place(const struct survey_place *place, struct buf *out)
{
	buf_add_str(out, "\"file\":");
	json_quote_bytes(out, place->file, strlen(place->file));
	buf_add_fmt(out, ",\"line\":%llu", (unsigned long long)place->line);
	if (place->element)
		buf_add_fmt(out, ",\"element\":%llu", (unsigned long long)place->element);
}

void survey_fault(struct survey *s, const struct survey_place *place, const struct fault *fault)
{
	count(s, place, fault);
	if (fault_class(fault->code) == FAULT_SKIPPED)
		s->skipped++;
	else
		s->bad++;
}

/* Notes by what was there before. */
static int compare(struct survey *s, const struct pref_rec *rec, struct lint *lint, struct err *err)
{
	uint64_t prompt = hash_segment(rec, 0, 0), all = prompt, flipped;
	struct fault note;
	int twice;

	for (int i = 1; i <= rec->k; i++)
		all = hash_segment(rec, i, all);
	twice = hash_set_add(&s->records, all, err);
	if (twice < 0 || hash_set_add(&s->prompts, prompt, err) < 0)
		return -1;
	if (twice) {
		fault_set(&note, FAULT_DUPLICATE, "the same record was there before");
		lint_add(lint, &note);
	}
	flipped = rec->k == 2 ? hash_segment(rec, 1, hash_segment(rec, 2, prompt)) : all;
	if (flipped != all && hash_set_has(&s->records, flipped)) {
		fault_set(&note, FAULT_CONTRADICTION, "chosen and rejected were there before, the other way round");
		lint_add(lint, &note);
	}
	if (s->held_out && hash_set_has(&s->prompts_out, prompt)) {
		fault_set(&note, FAULT_HELD_OUT, "the prompt is among those that are held out");
		lint_add(lint, &note);
	}
	return 0;
}

static uint64_t characters(const struct pref_rec *rec, int segment)
{
	const char *s = rec->text + rec->seg[segment];
	uint64_t n = 0;

	for (int64_t i = pref_len(rec, segment); i > 0; i--)
		n += (*s++ & 0xc0) != 0x80;
	return n;
}

static void measure(struct survey *s, const struct pref_rec *rec)
{
	uint64_t chosen, rejected;

	if (rec->k != 2)
		return;
	chosen = characters(rec, 1);
	rejected = characters(rec, 2);
	s->pairs++;
	s->chosen_longer += chosen > rejected;
	s->rejected_longer += chosen < rejected;
	s->prompt_chars += (double)characters(rec, 0);
	s->chosen_chars += (double)chosen;
	s->rejected_chars += (double)rejected;
}

int survey_record(struct survey *s, const struct survey_place *place, const struct pref_rec *rec,
	struct lint *lint, struct fault *why, struct err *err)
{
	if (compare(s, rec, lint, err))
		return -1;
	for (size_t i = 0; i < lint->n; i++)
		if (s->reject[lint->note[i].code]) {
			*why = lint->note[i];
			count(s, place, why);
			s->bad++;
			return 0;
		}
	for (size_t i = 0; i < lint->n; i++)
		count(s, place, &lint->note[i]);
	s->noted += lint->n > 0;
	s->kept++;
	measure(s, rec);
	return 1;
}

/* ---- the report */

static bool is_note(const struct survey *s, enum fault_code code)
{
	return fault_class(code) == FAULT_NOTE && !s->reject[code];
}

void survey_put_counts(const struct survey *s, struct buf *out, bool notes)
{
	const char *comma = "";

	for (enum fault_code code = 0; code < FAULT_CODES; code++)
		if (s->count[code] && is_note(s, code) == notes) {
			buf_add_fmt(out, "%s%llu %s", comma, (unsigned long long)s->count[code], fault_name(code));
			comma = ", ";
		}
	buf_add_str(out, "");
}

static void put_number(struct buf *out, const char *name, double x)
{
	buf_add_fmt(out, "%s\"%s\":", out->len && out->data[out->len - 1] != '{' ? "," : "", name);
	json_put_number(out, x);
}

static void put_faults(const struct survey *s, struct buf *out)
{
	static const char *const classes[] = {"fatal", "bad", "skipped", "note"};
	const char *comma = "";

	buf_add_str(out, ",\"faults\":{");
	for (enum fault_code code = 0; code < FAULT_CODES; code++) {
		if (!s->count[code])
			continue;
		buf_add_fmt(out, "%s\"%s\":{\"class\":\"%s\",\"rejected\":%s,\"count\":%llu,\"examples\":[", comma,
			fault_name(code), classes[fault_class(code)], is_note(s, code) ? "false" : "true",
			(unsigned long long)s->count[code]);
		for (size_t i = 0; i < SURVEY_EXAMPLES && i < s->count[code]; i++) {
			const struct survey_example *e = &s->example[code][i];

			buf_add_str(out, i ? ",{" : "{");
			survey_put_place(&e->place, out);
			buf_add_str(out, ",\"detail\":");
			json_quote(out, e->text, strlen(e->text));
			buf_add_char(out, '}');
		}
		buf_add_str(out, "]}");
		comma = ",";
	}
	buf_add_char(out, '}');
}

static void put_lengths(const struct survey *s, struct buf *out)
{
	double n = (double)s->pairs, ties = n - (double)s->chosen_longer - (double)s->rejected_longer;

	if (!s->pairs)
		return;
	buf_add_str(out, ",\"length\":{");
	put_number(out, "pairs", n);
	put_number(out, "prompt_characters", s->prompt_chars / n);
	put_number(out, "chosen_characters", s->chosen_chars / n);
	put_number(out, "rejected_characters", s->rejected_chars / n);
	put_number(out, "chosen_longer", (double)s->chosen_longer / n);
	put_number(out, "rejected_longer", (double)s->rejected_longer / n);
	put_number(out, "accuracy_of_the_longer", ((double)s->chosen_longer + ties / 2) / n);
	buf_add_char(out, '}');
}

void survey_put(const struct survey *s, struct buf *out)
{
	buf_add_char(out, '{');
	put_number(out, "rows", (double)s->rows);
	put_number(out, "records", (double)s->kept);
	put_number(out, "bad", (double)s->bad);
	put_number(out, "skipped", (double)s->skipped);
	put_number(out, "noted", (double)s->noted);
	put_number(out, "several_turns", (double)s->turns);
	put_number(out, "prompts", (double)s->prompts.n);
	if (s->held_out)
		put_number(out, "held_out_prompts", (double)s->prompts_out.n);
	put_lengths(s, out);
	put_faults(s, out);
	buf_add_str(out, "}\n");
}
