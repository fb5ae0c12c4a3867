/* lib/base: memory, buffers, errors, arenas, UTF-8, SHA-256, random numbers, element types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/dtype.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/sha256.c" /* both ways of computing it are static */
#include "base/base64.h"
#include "base/utf8.h"

/* ---- mem, arena */

static void sizes_are_checked(void **state)
{
	size_t x;

	(void)state;
	assert_true(size_mul(SIZE_MAX / 2, 2, &x));
	assert_int_equal(x, SIZE_MAX - 1);
	assert_false(size_mul(SIZE_MAX / 2 + 1, 2, &x));
	assert_true(size_add(SIZE_MAX - 1, 1, &x));
	assert_false(size_add(SIZE_MAX, 1, &x));
}

static void memory_is_refused_with_an_error(void **state)
{
	struct err err = ERR_INIT;
	size_t cap = 0;
	char *array = NULL;

	(void)state;
	assert_null(mem_new(SIZE_MAX, 2, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	assert_null(mem_new_aligned(SIZE_MAX, 2, &err));
	assert_null(mem_new_aligned(SIZE_MAX - 3, 1, &err));
	assert_null(mem_copy("", SIZE_MAX, &err));
	assert_int_equal(mem_grow(&array, &cap, SIZE_MAX / 2, 4, &err), -1);
	assert_null(array);
	assert_int_equal(cap, 0);
}

static void memory_is_as_promised(void **state)
{
	struct err err = ERR_INIT;
	size_t cap = 0;
	int *array = NULL;
	char *p = mem_new(0, 0, &err), *copy;

	(void)state;
	assert_non_null(p);
	free(p);
	p = mem_new(100, 3, &err);
	for (int i = 0; i < 300; i++)
		assert_int_equal(p[i], 0);
	free(p);
	for (size_t n = 0; n < 300; n += 7) {
		p = mem_new_aligned(n, 3, &err);
		assert_int_equal((uintptr_t)p % 64, 0);
		memset(p, 1, 3 * n);
		free(p);
	}
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(mem_grow(&array, &cap, (size_t)i + 1, sizeof *array, &err), 0);
		assert_true(cap > (size_t)i);
		array[i] = i;
	}
	for (int i = 0; i < 1000; i++)
		assert_int_equal(array[i], i);
	free(array);
	copy = mem_copy("a\0b", 3, &err);
	assert_memory_equal(copy, "a\0b", 4);
	free(copy);
}

static void arenas_give_aligned_memory(void **state)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	char *pieces[200];

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < 200; i++) {
			pieces[i] = arena_new(&a, i * i, 1 + i % 3, &err);
			assert_non_null(pieces[i]);
			assert_int_equal((uintptr_t)pieces[i] % 16, 0);
			memset(pieces[i], (int)i, i * i * (1 + i % 3));
		}
		for (size_t i = 1; i < 200; i++) {
			assert_int_equal((unsigned char)pieces[i][0], i);
			assert_int_equal((unsigned char)pieces[i][i * i * (1 + i % 3) - 1], i);
		}
		arena_clear(&a);
	}
	assert_string_equal(arena_copy(&a, "text and more", 4, &err), "text");
	assert_string_equal(arena_copy(&a, NULL, 0, &err), "");
	assert_null(arena_new(&a, SIZE_MAX, 1, &err));
	assert_null(arena_new(&a, SIZE_MAX / 2, 3, &err));
	assert_null(arena_copy(&a, "", SIZE_MAX, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	arena_release(&a);
}

/* ---- buf, err */

static void buffers_grow(void **state)
{
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(buf_check(&b, &err), 0);
	assert_string_equal(b.data, "");
	for (int i = 0; i < 1000; i++)
		buf_add_fmt(&b, "%d,", i);
	buf_add_str(&b, "end");
	buf_add_char(&b, '.');
	buf_add(&b, "a\0b", 3);
	assert_int_equal(buf_check(&b, &err), 0);
	assert_int_equal(b.len, 10 * 2 + 90 * 3 + 900 * 4 + 7);
	assert_memory_equal(b.data + b.len - 7, "end.a\0b", 8);
	buf_clear(&b);
	assert_int_equal(b.len, 0);
	assert_string_equal(b.data, "");
	buf_release(&b);
}

static void buffers_remember_a_failure(void **state)
{
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	buf_add_str(&b, "abc");
	assert_null(buf_extend(&b, SIZE_MAX - 2));
	assert_null(buf_extend(&b, SIZE_MAX / 2));
	buf_add_str(&b, "def");
	assert_int_equal(buf_check(&b, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_string_equal(b.data, "abc");
	buf_clear(&b);
	buf_add_str(&b, "def");
	assert_int_equal(buf_check(&b, &err), 0);
	assert_string_equal(b.data, "def");
	buf_release(&b);
}

static void errors_gather_places(void **state)
{
	struct err err = ERR_INIT;
	char longer[3000];

	(void)state;
	assert_int_equal(err_set(&err, ERR_CORRUPT, "byte %d", 7), -1);
	assert_int_equal(err_at(&err, "file '%s'", "a"), -1);
	assert_string_equal(err.text, "file 'a': byte 7");
	assert_int_equal(err.code, ERR_CORRUPT);
	errno = ENOENT;
	assert_int_equal(err_sys(&err, "b"), -1);
	assert_string_equal(err.text, "b: No such file or directory");
	assert_int_equal(err.code, ERR_FAILED);
	memset(longer, 'x', sizeof longer);
	longer[sizeof longer - 1] = '\0';
	err_at(&err, "%s", longer);
	assert_true(strlen(err.text) < sizeof err.text);
	assert_non_null(strstr(err.text, "xx: b: No such"));
	err_set(&err, ERR_FAILED, "%s", longer);
	err_at(&err, "%s", longer);
	err_sys(&err, "%s", longer);
	assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

/* ---- base64 */

static void base64_is_as_in_the_rfc(void **state)
{
	static const char *const vectors[] = {
		"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
	static const struct {
		const char *text, *says;
	} bad[] = {{"Zg=", "base64 of 3 characters"}, {"Z===", "byte 1 is not base64"},
		{"Zm9=Yg==", "byte 3 is not base64"}, {"Zm9_", "byte 3 is not base64"}};
	struct buf text = BUF_INIT, back = BUF_INIT;
	struct err err = ERR_INIT;
	unsigned char all[255];

	(void)state;
	for (size_t n = 0; n < sizeof vectors / sizeof *vectors; n++) {
		buf_clear(&text);
		base64_encode(&text, "foobar", n);
		assert_int_equal(buf_check(&text, &err), 0);
		assert_string_equal(text.data, vectors[n]);
	}
	for (size_t n = 0; n < sizeof all; n++) {
		all[n] = (unsigned char)(n * 89 + 7);
		buf_clear(&text);
		buf_clear(&back);
		base64_encode(&text, all, n);
		assert_int_equal(base64_decode(&back, text.data, text.len, &err), 0);
		assert_int_equal(back.len, n);
		assert_memory_equal(back.data, all, n);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(base64_decode(&back, bad[i].text, strlen(bad[i].text), &err), -1);
		assert_non_null(strstr(err.text, bad[i].says));
	}
	buf_release(&text);
	buf_release(&back);
}

/* ---- utf8 */

static void every_code_point_round_trips(void **state)
{
	char s[4];
	uint32_t back;

	(void)state;
	for (uint32_t cp = 0; cp < 0x110000; cp++) {
		int n = utf8_encode(s, cp), want = cp < 0x80	  ? 1
						   : cp < 0x800	  ? 2
						   : cp < 0x10000 ? 3
								  : 4;

		assert_int_equal(n, want);
		if (cp >= 0xd800 && cp < 0xe000) {
			assert_int_equal(utf8_decode(s, 4, &back), 0);
			assert_int_equal(back, 0xfffd);
			continue;
		}
		assert_int_equal(utf8_decode(s, (size_t)n, &back), n);
		assert_int_equal(back, cp);
		for (int cut = 1; cut < n; cut++)
			assert_int_equal(utf8_decode(s, (size_t)cut, &back), 0);
	}
}

/* Of all two and three byte strings, those that decode are the ones that encoding gives. */
static void nothing_else_decodes(void **state)
{
	char s[4], again[4];
	uint32_t cp;

	(void)state;
	for (uint32_t x = 0; x < 1u << 24; x++) {
		int n;

		s[0] = (char)(x >> 16);
		s[1] = (char)(x >> 8);
		s[2] = (char)x;
		n = utf8_decode(s, 3, &cp);
		if (n && (utf8_encode(again, cp) != n || memcmp(s, again, (size_t)n)))
			fail_msg("%06x decodes to %x", x, cp);
	}
	for (uint32_t x = 0; x < 1u << 24; x++) { /* four bytes, with less freedom in the last */
		int n;

		s[0] = (char)(0xf0 | x >> 20);
		s[1] = (char)(x >> 12);
		s[2] = (char)(x >> 4);
		s[3] = (char)(0x80 | (x & 15) << 3);
		n = utf8_decode(s, 4, &cp);
		if (n && (utf8_encode(again, cp) != n || memcmp(s, again, (size_t)n)))
			fail_msg("f%07x decodes to %x", x, cp);
	}
}

static void valid_prefix_is_found(void **state)
{
	static const char text[] = "0123456789\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80 and more ASCII";
	char damaged[sizeof text];
	size_t n = sizeof text - 1;

	(void)state;
	assert_int_equal(utf8_valid_prefix("", 0), 0);
	assert_int_equal(utf8_valid_prefix(text, n), n);
	assert_int_equal(utf8_valid_prefix(text, 11), 10);
	assert_int_equal(utf8_valid_prefix(text, 14), 12);
	assert_int_equal(utf8_valid_prefix(text, 18), 15);
	for (size_t i = 0; i < 10; i++) {
		memcpy(damaged, text, sizeof text);
		damaged[i] = (char)0xff;
		assert_int_equal(utf8_valid_prefix(damaged, n), i);
	}
}

/* ---- sha256 */

static void sum(const void *data, size_t n, char hex[65])
{
	struct sha256 h;
	uint8_t digest[32];

	sha256_init(&h);
	sha256_add(&h, data, n);
	sha256_finish(&h, digest);
	sha256_hex(digest, hex);
}

static void published_digests(void **state)
{
	static const struct {
		const char *text, *hex;
	} vectors[] = {
		{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
			"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
		{"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqk"
		 "lmnopqr"
		 "lmnopqrsmnopqrstnopqrstu",
			"cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
	};
	char hex[65], *million = malloc(1000000);

	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		sum(vectors[i].text, strlen(vectors[i].text), hex);
		assert_string_equal(hex, vectors[i].hex);
	}
	memset(million, 'a', 1000000);
	sum(million, 1000000, hex);
	assert_string_equal(
		hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	free(million);
	assert_int_equal(sha256_id("abc", 3), 0xeacf018fbf1678ba);
}

static void digest_does_not_depend_on_pieces(void **state)
{
	char text[1000], whole[65], pieces[65];
	struct sha256 h;
	uint8_t digest[32];

	(void)state;
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)(i * i);
	for (uint64_t n = 0; n < sizeof text; n++) {
		sum(text, n, whole);
		sha256_init(&h);
		for (size_t at = 0, step; at < n; at += step) {
			step = 1 + (size_t)(rng_uniform(n, 0, at) * 150);
			step = step < n - at ? step : n - at;
			sha256_add(&h, text + at, step);
		}
		sha256_finish(&h, digest);
		sha256_hex(digest, pieces);
		assert_string_equal(whole, pieces);
	}
}

/* Two at once, from where one or both stand in the middle of a block, and for any number of bytes. */
static void two_messages_at_once(void **state)
{
	char text[1000], hex[65], expected[65];
	uint8_t digest[32];

	(void)state;
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)(i * i + i / 7);
	for (size_t n = 0; n < 400; n++) {
		size_t before[2] = {n % 3 ? 64 * (n % 5) : n % 97, 64 * (n % 2)}, from[2] = {0, 350};
		struct sha256 h[2];

		for (int i = 0; i < 2; i++) {
			sha256_init(&h[i]);
			sha256_add(&h[i], text + from[i], before[i]);
		}
		sha256_add_both(&h[0], text + from[0] + before[0], &h[1], text + from[1] + before[1], n);
		for (int i = 0; i < 2; i++) {
			sum(text + from[i], before[i] + n, expected);
			sha256_finish(&h[i], digest);
			sha256_hex(digest, hex);
			assert_string_equal(hex, expected);
		}
	}
}

static void both_ways_of_hashing_agree(void **state)
{
#if defined(__x86_64__)
	uint8_t bytes[64 * 40];
	uint32_t plain[8], with[8], r[4];

	(void)state;
	if (!has_sha())
		skip();
	for (uint64_t round = 0; round < 300; round++) {
		for (uint64_t i = 0; i < sizeof bytes / 16; i++) {
			rng_bits(1, round, i, r);
			memcpy(bytes + 16 * i, r, 16);
		}
		rng_bits(2, round, 0, plain);
		rng_bits(2, round, 1, plain + 4);
		memcpy(with, plain, sizeof plain);
		blocks_plain(plain, bytes, round % 41);
		blocks_one(with, bytes, round % 41);
		assert_memory_equal(plain, with, sizeof plain);
	}
#else
	(void)state;
	skip();
#endif
}

/* ---- rng */

/* Of the authors' Random123, kat_vectors: philox4x32 10. */
static void published_random_numbers(void **state)
{
	static const struct {
		uint64_t index, stream, seed;
		uint32_t out[4];
	} vectors[] = {
		{0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{UINT64_MAX, UINT64_MAX, UINT64_MAX,
			{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{0x85a308d3243f6a88, 0x0370734413198a2e, 0x299f31d0a4093822,
			{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	};
	uint32_t out[4];

	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		rng_bits(vectors[i].seed, vectors[i].stream, vectors[i].index, out);
		assert_memory_equal(out, vectors[i].out, sizeof out);
	}
}

static void distributions_are_right(void **state)
{
	double mean = 0, square = 0, fourth = 0, uniform = 0, z[2];
	const int n = 200000;

	(void)state;
	for (int i = 0; i < n; i++) {
		double u = rng_uniform(5, 6, (uint64_t)i);

		assert_true(u >= 0 && u < 1);
		uniform += u / n;
		rng_normal(5, 7, (uint64_t)i, z);
		for (int k = 0; k < 2; k++) {
			assert_true(isfinite(z[k]));
			mean += z[k] / (2 * n);
			square += z[k] * z[k] / (2 * n);
			fourth += z[k] * z[k] * z[k] * z[k] / (2 * n);
		}
	}
	assert_true(fabs(uniform - 0.5) < 0.003);
	assert_true(fabs(mean) < 0.006);
	assert_true(fabs(square - 1) < 0.01);
	assert_true(fabs(fourth - 3) < 0.1);
}

static void permutations_hit_everything_once(void **state)
{
	static const uint64_t sizes[] = {1, 2, 3, 4, 5, 9, 10, 100, 255, 256, 257, 1000, 65537};
	struct err err = ERR_INIT;

	(void)state;
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
		for (uint64_t seed = 0; seed < 5; seed++) {
			uint64_t n = sizes[s], moved = 0;
			char *seen = mem_new(n, 1, &err);

			for (uint64_t i = 0; i < n; i++) {
				uint64_t to = rng_permute(seed, 3, n, i);

				assert_true(to < n);
				assert_int_equal(seen[to], 0);
				seen[to] = 1;
				moved += to != i;
			}
			if (n >= 100)
				assert_true(moved > n * 9 / 10);
			free(seen);
		}
	assert_int_not_equal(rng_permute(1, 0, 1000, 5), rng_permute(2, 0, 1000, 5));
	assert_true(rng_permute(1, 0, (uint64_t)1 << 40, 5) < (uint64_t)1 << 40);
}

/* ---- dtype */

static void names_and_sizes_agree(void **state)
{
	(void)state;
	for (enum dtype t = 0; t < DTYPE_COUNT; t++) {
		const char *name = dtype_name(t);

		assert_int_equal(dtype_parse(name, strlen(name)), t);
		assert_int_equal(dtype_parse(name, strlen(name) - 1), DTYPE_NONE);
		if (t != BOOL && t != BF16)
			assert_int_equal(dtype_size(t), atoi(name + 1) / 8);
	}
	assert_int_equal(dtype_size(BOOL), 1);
	assert_int_equal(dtype_size(BF16), 2);
	assert_int_equal(dtype_parse("f32", 3), DTYPE_NONE);
	assert_int_equal(dtype_parse("", 0), DTYPE_NONE);
	assert_int_equal(dtype_size(DTYPE_NONE), 0);
	assert_string_equal(dtype_name(DTYPE_NONE), "none");
}

/* The value of a small float by its definition. */
static double half_value(uint16_t h, int exponent_bits)
{
	int fraction_bits = 15 - exponent_bits, bias = (1 << (exponent_bits - 1)) - 1;
	int exponent = h >> fraction_bits & ((1 << exponent_bits) - 1);
	double fraction = (h & ((1 << fraction_bits) - 1)) / (double)(1 << fraction_bits);
	double sign = h & 0x8000 ? -1 : 1;

	if (exponent == (1 << exponent_bits) - 1)
		return fraction != 0 ? NAN : sign * INFINITY;
	return exponent ? sign * ldexp(1 + fraction, exponent - bias)
			: sign * ldexp(fraction, 1 - bias);
}

static void every_half_round_trips(enum dtype t, int exponent_bits)
{
	float f;
	uint16_t back;

	for (uint32_t i = 0; i < 65536; i++) {
		uint16_t h = (uint16_t)i;
		double want = half_value(h, exponent_bits);

		dtype_to_f32(&f, &h, t, 1);
		dtype_from_f32(&back, &f, t, 1);
		if (isnan(want)) {
			assert_true(isnan(f));
			dtype_to_f32(&f, &back, t, 1);
			assert_true(isnan(f));
			continue;
		}
		assert_true(f == want && !signbit(f) == !signbit(want));
		assert_int_equal(back, h);
	}
}

/* Between two neighbours: the nearer, the even one in the middle; just before and just behind it. */
static void halves_round_to_even(enum dtype t, int exponent_bits)
{
	uint16_t last = exponent_bits == 5 ? 0x7bff : 0x7f7f;

	for (uint16_t h = 0; h < last; h++) {
		double middle = (half_value(h, exponent_bits) +
					half_value((uint16_t)(h + 1), exponent_bits)) /
				2;
		float f[3] = {nextafterf((float)middle, -1), (float)middle,
			nextafterf((float)middle, INFINITY)};
		uint16_t got[3], even = h & 1 ? (uint16_t)(h + 1) : h;

		dtype_from_f32(got, f, t, 3);
		if ((double)f[1] != middle)
			fail_msg("the middle above %04x is no float", h);
		if (got[0] != h || got[1] != even || got[2] != h + 1)
			fail_msg("%04x: %04x %04x %04x", h, got[0], got[1], got[2]);
		for (int i = 0; i < 3; i++)
			f[i] = -f[i];
		dtype_from_f32(got, f, t, 3);
		if (got[0] != (h | 0x8000) || got[1] != (even | 0x8000) ||
			got[2] != ((h + 1) | 0x8000))
			fail_msg("-%04x: %04x %04x %04x", h, got[0], got[1], got[2]);
	}
}

static void f16_round_trips(void **state)
{
	float f[] = {65504, 65519.996f, 65520, 1e30f, -65520, 0x1p-25f, 0x1.000002p-25f, INFINITY,
		FLT_MIN};
	static const uint16_t want[] = {0x7bff, 0x7bff, 0x7c00, 0x7c00, 0xfc00, 0, 1, 0x7c00, 0};
	uint16_t got[9];

	(void)state;
	every_half_round_trips(F16, 5);
	halves_round_to_even(F16, 5);
	dtype_from_f32(got, f, F16, 9);
	assert_memory_equal(got, want, sizeof want);
}

static void bf16_round_trips(void **state)
{
	float f[] = {FLT_MAX, INFINITY, -INFINITY, 1, 0x1.01p0f, 0x1.03p0f};
	static const uint16_t want[] = {0x7f80, 0x7f80, 0xff80, 0x3f80, 0x3f80, 0x3f82};
	uint16_t got[6];

	(void)state;
	every_half_round_trips(BF16, 8);
	halves_round_to_even(BF16, 8);
	dtype_from_f32(got, f, BF16, 6);
	assert_memory_equal(got, want, sizeof want);
}

static void wide_floats_convert(void **state)
{
	double d[] = {1e300, -0.0, 1.0 / 3, NAN}, back[3];
	float f[4];

	(void)state;
	dtype_to_f32(f, d, F64, 4);
	assert_true(isinf(f[0]) && signbit(f[1]) && f[2] == (float)(1.0 / 3) && isnan(f[3]));
	dtype_from_f32(back, f + 1, F64, 2);
	assert_true(back[0] == 0 && back[1] == (double)f[2]);
	dtype_to_f32(f, f + 2, F32, 1);
	assert_true(f[0] == (float)(1.0 / 3));
}

/* ---- hashes */

static void sets_remember(void **state)
{
	struct hash_set s = HASH_SET_INIT;
	struct err err = ERR_INIT;
	char text[64] = {0};

	(void)state;
	assert_false(hash_set_has(&s, 0));
	for (int round = 0; round < 2; round++)
		for (uint64_t i = 0; i < 20000; i++) {
			memcpy(text, &i, sizeof i);
			assert_int_equal(hash_set_has(&s, hash_bytes(text, 8 + i % 50, i % 3)), round);
			assert_int_equal(hash_set_add(&s, hash_bytes(text, 8 + i % 50, i % 3), &err), round);
		}
	assert_int_equal(s.n, 20000);
	assert_int_equal(hash_set_add(&s, 0, &err), 0);
	assert_true(hash_set_has(&s, 0));
	hash_set_release(&s);
	/* Each bit of input and seed changes about half of the number's. */
	for (size_t n = 1; n < 40; n++) {
		uint64_t h = hash_bytes(text, n, 7);

		assert_true(h != hash_bytes(text, n - 1, 7));
		for (size_t bit = 0; bit < 8 * n; bit++) {
			text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
			assert_in_range(__builtin_popcountll(h ^ hash_bytes(text, n, 7)), 8, 56);
			text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
		}
		assert_in_range(__builtin_popcountll(h ^ hash_bytes(text, n, 8)), 8, 56);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_checked),
		cmocka_unit_test(memory_is_refused_with_an_error),
		cmocka_unit_test(memory_is_as_promised),
		cmocka_unit_test(arenas_give_aligned_memory),
		cmocka_unit_test(base64_is_as_in_the_rfc),
		cmocka_unit_test(buffers_grow),
		cmocka_unit_test(buffers_remember_a_failure),
		cmocka_unit_test(errors_gather_places),
		cmocka_unit_test(every_code_point_round_trips),
		cmocka_unit_test(nothing_else_decodes),
		cmocka_unit_test(valid_prefix_is_found),
		cmocka_unit_test(published_digests),
		cmocka_unit_test(digest_does_not_depend_on_pieces),
		cmocka_unit_test(two_messages_at_once),
		cmocka_unit_test(both_ways_of_hashing_agree),
		cmocka_unit_test(published_random_numbers),
		cmocka_unit_test(distributions_are_right),
		cmocka_unit_test(permutations_hit_everything_once),
		cmocka_unit_test(names_and_sizes_agree),
		cmocka_unit_test(f16_round_trips),
		cmocka_unit_test(bf16_round_trips),
		cmocka_unit_test(wide_floats_convert),
		cmocka_unit_test(sets_remember),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
