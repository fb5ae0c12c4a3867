/* Stop strings, however tokens cut them: against searching the whole text after each token. */
#include <string.h>

#include "base/mem.h"
#include "tests/unit/support/made.h"
#include "text/stops.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* Bytes and pieces of "é" and of a stop string. */
static const struct made tokenizer = {
	.decoder = "{'type':'Sequence','decoders':[{'type':'Replace','pattern':{'String':'_'},'content':' '},"
		   "{'type':'ByteFallback'},{'type':'Fuse'}]}",
	.model = "'vocab':{'a':0,'b':1,'_':2,'ab':3,'_a':4,'<0xC3>':5,'<0xA9>':6,'ba':7,'aab':8},'merges':[],"
		 "'byte_fallback':true",
};

static const char *const texts[] = {"abba", " ab", "b\xc3\xa9", "aaaa", "\xc3\xa9"};

static void found_as_soon_as_it_is_there(void **state)
{
	const struct stops stops = {texts, COUNT(texts)};
	struct tokenizer *t = made_load(&tokenizer);
	struct stopwatch w = STOPWATCH_INIT;
	struct err err = ERR_INIT;
	int stopped = 0;

	(void)state;
	assert_int_equal(stopwatch_open(&w, &stops, t, &err), 0);
	for (uint32_t seed = 1; seed < 3000; seed++) {
		struct detokenizer *d = detokenizer_new(t, 0, &err);
		struct buf whole = BUF_INIT;
		uint32_t state2 = seed;
		int32_t ids[16];
		int n = 0, prompt = (int)(seed % 4), rc;

		assert_non_null(d);
		for (int i = 0; i < prompt; i++)
			ids[n++] = i % 2 ? 4 : 7; /* no half characters */
		assert_int_equal(stopwatch_start(&w, ids, prompt, &err), 0);
		do {
			size_t from;

			state2 = state2 * 1664525 + 1013904223;
			ids[n++] = (int32_t)((state2 >> 16) % 9);
			rc = stopwatch_token(&w, ids[n - 1], &err);
			buf_clear(&whole);
			assert_int_equal(detokenizer_decode(d, ids, (size_t)prompt, &whole, &err), 0);
			from = whole.len;
			buf_clear(&whole);
			assert_int_equal(detokenizer_decode(d, ids, (size_t)n, &whole, &err), 0);
			assert_int_equal(rc, stops_find(&stops, whole.data + from, whole.len - from) < whole.len - from);
		} while (rc == 0 && n < 16);
		stopped += rc;
		buf_release(&whole);
		detokenizer_free(d);
	}
	assert_in_range(stopped, 1000, 2998);
	stopwatch_close(&w);
	tokenizer_free(t);
}

static void the_first_of_them(void **state)
{
	const struct stops stops = {texts, COUNT(texts)}, none = {texts, 0};

	(void)state;
	assert_int_equal(stops_find(&stops, "xabb\xc3\xa9 ab", 9), 3);
	assert_int_equal(stops_find(&stops, "x ababba", 8), 1);
	assert_int_equal(stops_find(&stops, "xabb", 4), 4);
	assert_int_equal(stops_find(&stops, "", 0), 0);
	assert_int_equal(stops_find(&none, "abba", 4), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found_as_soon_as_it_is_there),
		cmocka_unit_test(the_first_of_them),
	};

	return cmocka_run_group_tests(tests, made_open, made_close);
}
