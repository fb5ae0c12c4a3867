#include "text/stops.h"

#include <string.h>

size_t stops_find(const struct stops *s, const char *text, size_t n)
{
	size_t first = n;

	for (size_t i = 0; i < s->n; i++) {
		const char *at = memmem(text, n, s->text[i], strlen(s->text[i]));

		if (at && (size_t)(at - text) < first)
			first = (size_t)(at - text);
	}
	return first;
}

static size_t longest(const struct stops *s)
{
	size_t most = 0;

	for (size_t i = 0; i < s->n; i++)
		most = strlen(s->text[i]) > most ? strlen(s->text[i]) : most;
	return most;
}

int stopwatch_open(struct stopwatch *w, const struct stops *stops, const struct tokenizer *t, struct err *err)
{
	*w = (struct stopwatch){.stops = stops, .d = detokenizer_new(t, 0, err)};
	return w->d ? 0 : -1;
}

void stopwatch_close(struct stopwatch *w)
{
	detokenizer_free(w->d);
	buf_release(&w->text);
	*w = (struct stopwatch)STOPWATCH_INIT;
}

int stopwatch_start(struct stopwatch *w, const int32_t *prompt, int64_t n, struct err *err)
{
	if (detokenizer_end(w->d, &w->text, err))
		return -1;
	for (int64_t i = 0; i < n; i++)
		if (detokenizer_put(w->d, prompt[i], &w->text, err))
			return -1;
	buf_clear(&w->text);
	w->seen = 0;
	return 0;
}

int stopwatch_token(struct stopwatch *w, int32_t id, struct err *err)
{
	size_t certain, keep = longest(w->stops) - 1, n;
	bool found;

	if (detokenizer_put(w->d, id, &w->text, err))
		return -1;
	certain = w->text.len;
	if (detokenizer_peek(w->d, &w->text, err) || buf_check(&w->text, err))
		return -1;
	n = w->text.len - w->seen;
	found = stops_find(w->stops, w->text.data + w->seen, n) < n;
	w->text.len = certain;
	if (certain > keep && certain - keep > w->seen)
		w->seen = certain - keep;
	return found;
}
