/* lib/text: the cache of words and the trie, against what they are by definition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "text/trie.h"
#include "text/wordcache.h"

/* Word number i: few letters, so that words are alike, zero bytes among them; at the end of a block of memory. */
static char *make_word(uint64_t i, size_t *n, char **memory)
{
	uint32_t bits[4];

	rng_bits(1, 1, i, bits);
	*n = 1 + bits[0] % 17;
	*memory = malloc(*n);
	for (size_t j = 0; j < *n; j++)
		(*memory)[j] = (char)(bits[1] >> (j % 16 * 2) & 3);
	return *memory;
}

static void cache(void **state)
{
	struct wordcache c = WORDCACHE_INIT;
	struct err err = ERR_INIT;
	size_t found = 0, kept = 0;

	(void)state;
	assert_int_equal(wordcache_init(&c, &err), 0);
	for (uint64_t i = 0; i < 200000; i++) {
		uint64_t number = i % 30011;
		size_t n, count;
		char *memory, *word = make_word(number, &n, &memory);
		struct wordcache_key key = wordcache_key(word, n, n);
		int32_t want[WORDCACHE_IDS] = {0}, got[WORDCACHE_IDS];

		/* what a word stands for is told by its bytes: their sum, as often as the last byte says */
		for (size_t j = 0; j < n; j++)
			want[0] = (want[0] * 5 + word[j] + 1) % 1000003;
		want[3] = want[2] = want[1] = want[0];
		count = 1 + (size_t)word[n - 1];
		assert_int_equal(key.high != 0, n <= WORDCACHE_KEY);
		wordcache_prefetch(&c, &key);
		found = wordcache_get(&key, got);
		if (found) {
			kept++;
			assert_int_equal(found, count);
			assert_memory_equal(got, want, count * sizeof *want);
		} else if (key.high) {
			wordcache_put(&key, want, count);
			assert_int_equal(wordcache_get(&key, got), count);
		}
		free(memory);
	}
	assert_in_range(kept, 120000, 200000);
	wordcache_release(&c);
}

/* The same key with and without memory behind the word. */
static void keys(void **state)
{
	static const char text[40] = "a\0bcdefghijklmnopqrstuvwxyz";

	(void)state;
	for (size_t n = 1; n <= WORDCACHE_KEY; n++) {
		struct wordcache_key with = wordcache_key(text, n, sizeof text),
				     without = wordcache_key(text, n, n);

		assert_memory_equal(&with, &without, sizeof with);
		for (size_t m = 1; m < n; m++) {
			struct wordcache_key other = wordcache_key(text, m, sizeof text);

			assert_memory_not_equal(&with, &other, sizeof with);
		}
	}
}

static int32_t find(const struct trie *t, const char *s, size_t n)
{
	uint32_t node = TRIE_ROOT;

	for (size_t i = 0; i < n; i++)
		if (!(node = trie_step(t, node, s[i])))
			return -1;
	return trie_value(t, node);
}

static void tries(void **state)
{
	struct trie t = TRIE_INIT;
	struct err err = ERR_INIT;
	size_t n;
	char *memory;

	(void)state;
	assert_int_equal(trie_step(&t, TRIE_ROOT, 'a'), 0);
	for (uint64_t i = 0; i < 3000; i++) {
		char *word = make_word(i, &n, &memory);

		assert_int_equal(trie_put(&t, word, n, (int32_t)i, &err), 0);
		free(memory);
	}
	for (uint64_t i = 0; i < 6000; i += 71) { /* a word that was put again has its last number */
		char *word = make_word(i, &n, &memory);
		int32_t want = -1;

		for (uint64_t j = 0; j < 3000; j++) {
			size_t m;
			char *other, *same = make_word(j, &m, &other);

			if (m == n && !memcmp(same, word, n))
				want = (int32_t)j;
			free(other);
		}
		assert_int_equal(find(&t, word, n), want);
		free(memory);
	}
	assert_int_equal(find(&t, "", 0), -1);
	assert_int_equal(trie_put(&t, "", 0, 7, &err), 0);
	assert_int_equal(find(&t, "", 0), 7);
	trie_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cache),
		cmocka_unit_test(keys),
		cmocka_unit_test(tries),
	};

	return cmocka_run_group_tests_name("words", tests, NULL, NULL);
}
