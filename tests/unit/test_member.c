/* Single members: layout, limits, and bodies that are not what their headers say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "io/member.h"
#include "io/zip.h"

static void refresh(char *head)
{
	uint32_t crc = zip_crc32(head, 60);

	memcpy(head + 60, &crc, 4);
}

static void layout_is_as_specified(void **state)
{
	static const uint8_t start[16] = {
		0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 52, 0, 'T', 'S', 48, 0};
	struct member m = {.kind = 'B',
			      .nrec = 0x01020304 % 65536,
			      .seq = 0x1122334455667788,
			      .first = 0x99aabbccddeeff00 >> 1},
		      back;
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	uint64_t u64;
	uint32_t u32;

	(void)state;
	assert_int_equal(member_encode(&m, "payload", 7, 1, &b, &err), 0);
	assert_int_equal(m.csize, b.len);
	assert_int_equal(m.usize, 7);
	assert_memory_equal(b.data, start, sizeof start);
	assert_int_equal(b.data[16], 1);
	assert_int_equal(b.data[17], 'B');
	assert_memory_equal(b.data + 18, "\0", 2);
	memcpy(&u32, b.data + 20, 4);
	assert_int_equal(u32, m.nrec);
	memcpy(&u64, b.data + 24, 8);
	assert_int_equal(u64, m.seq);
	memcpy(&u64, b.data + 32, 8);
	assert_int_equal(u64, m.first);
	memcpy(&u64, b.data + 40, 8);
	assert_int_equal(u64, b.len);
	memcpy(&u64, b.data + 48, 8);
	assert_int_equal(u64, 7);
	memcpy(&u32, b.data + 56, 4);
	assert_int_equal(u32, zip_crc32(b.data + 64, b.len - 72));
	memcpy(&u32, b.data + 60, 4);
	assert_int_equal(u32, zip_crc32(b.data, 60));
	memcpy(&u32, b.data + b.len - 8, 4);
	assert_int_equal(u32, zip_crc32("payload", 7));
	memcpy(&u32, b.data + b.len - 4, 4);
	assert_int_equal(u32, 7);
	assert_int_equal(member_parse(&back, (uint8_t *)b.data, MEMBER_MAX_PAYLOAD, &err), 0);
	assert_memory_equal(&back.kind, &m.kind, 1);
	assert_int_equal(back.nrec, m.nrec);
	assert_int_equal(back.seq, m.seq);
	assert_int_equal(back.first, m.first);
	assert_int_equal(back.csize, m.csize);
	assert_int_equal(back.usize, m.usize);
	assert_int_equal(back.ccrc, m.ccrc);
	buf_release(&b);
}

static void all_sizes_and_levels_round_trip(void **state)
{
	static const size_t sizes[] = {0, 1, 64, 65535, 65536, 1 << 20, 3000000};

	(void)state;
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
		for (int level = 0; level <= 9; level++)
			for (int noise = 0; noise <= 1; noise++) {
				size_t n = sizes[s];
				uint8_t *in = malloc(n + 16), *out = malloc(n + 1);
				struct member m = {.kind = 'B'}, back;
				struct buf b = BUF_INIT;
				struct err err = ERR_INIT;
				uint32_t r[4];

				for (size_t i = 0; i < n; i += 16) {
					rng_bits(1, 2, noise ? i : i / 4096, r);
					memcpy(in + i, r, 16);
				}
				assert_int_equal(member_encode(&m, in, n, level, &b, &err), 0);
				assert_int_equal(member_parse(&back, (uint8_t *)b.data,
							 MEMBER_MAX_PAYLOAD, &err),
					0);
				assert_int_equal(
					member_decode(
						&back, (uint8_t *)b.data + MEMBER_HEAD, out, &err),
					0);
				assert_memory_equal(in, out, n);
				buf_release(&b);
				free(in);
				free(out);
			}
}

static void end_is_of_one_size(void **state)
{
	char payload[MEMBER_END_PAYLOAD + 64];
	struct member m = {.kind = MEMBER_END}, back;
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	memset(payload, ' ', sizeof payload);
	assert_int_equal(
		member_encode(&m, payload, MEMBER_END_PAYLOAD, MEMBER_STORED, &b, &err), 0);
	assert_int_equal(b.len, MEMBER_END_SIZE);
	assert_int_equal(b.data[MEMBER_HEAD], 1); /* one stored block, the last */
	assert_int_equal(member_parse(&back, (uint8_t *)b.data, MEMBER_MAX_PAYLOAD, &err), 0);
	buf_clear(&b);
	assert_int_equal(member_encode(&m, payload, MEMBER_END_PAYLOAD, 1, &b, &err), 0);
	assert_int_equal(member_parse(&back, (uint8_t *)b.data, MEMBER_MAX_PAYLOAD, &err), -1);
	buf_clear(&b);
	assert_int_equal(member_encode(&m, payload, sizeof payload, MEMBER_STORED, &b, &err), 0);
	assert_int_equal(member_parse(&back, (uint8_t *)b.data, MEMBER_MAX_PAYLOAD, &err), -1);
	assert_int_equal(err.code, ERR_CORRUPT);
	buf_release(&b);
}

static void limit_is_the_callers(void **state)
{
	struct member m = {.kind = 'B'}, back;
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	char payload[1000] = "";

	(void)state;
	assert_int_equal(member_encode(&m, payload, sizeof payload, 1, &b, &err), 0);
	assert_int_equal(member_parse(&back, (uint8_t *)b.data, 1000, &err), 0);
	assert_int_equal(member_parse(&back, (uint8_t *)b.data, 999, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	buf_release(&b);
}

/* Whatever the limit: no more than deflate can make of so many bytes. */
static void bombs_die_by_their_header(void **state)
{
	struct member m = {.kind = 'B'}, back;
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	char payload[1000] = "";
	uint64_t sizes[2];

	(void)state;
	assert_int_equal(member_encode(&m, payload, sizeof payload, 9, &b, &err), 0);
	sizes[0] = (uint64_t)1 << 20;
	for (sizes[1] = 1032 * sizes[0] + 62; sizes[1] <= 1032 * sizes[0] + 66; sizes[1]++) {
		memcpy(b.data + 40, sizes, 16);
		refresh(b.data);
		assert_int_equal(member_parse(&back, (uint8_t *)b.data, (uint64_t)4 << 30, &err),
			sizes[1] <= 1032 * sizes[0] + 64 ? 0 : -1);
	}
	sizes[0] = UINT64_MAX / 1032 + 2; /* 1032 times it overflows */
	sizes[1] = (uint64_t)1 << 32;
	memcpy(b.data + 40, sizes, 16);
	refresh(b.data);
	assert_int_equal(member_parse(&back, (uint8_t *)b.data, UINT64_MAX, &err), -1);
	assert_int_equal(err.code, ERR_CORRUPT);
	buf_release(&b);
}

/* Checksums that match a body that does not: each check works alone. */
static void every_check_stands_alone(void **state)
{
	struct member m = {.kind = 'B'};
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	uint8_t out[7], *rest;

	(void)state;
	assert_int_equal(member_encode(&m, "payload", 7, 0, &b, &err), 0);
	rest = (uint8_t *)b.data + MEMBER_HEAD;
	assert_int_equal(member_decode(&m, rest, out, &err), 0);
	m.ccrc ^= 1;
	assert_int_equal(member_decode(&m, rest, out, &err), -1);
	m.ccrc ^= 1;
	for (int i = 0; i < 8; i++) { /* CRC32, ISIZE */
		rest[m.csize - MEMBER_HEAD - 8 + (uint64_t)i] ^= 1;
		assert_int_equal(member_decode(&m, rest, out, &err), -1);
		assert_int_equal(err.code, ERR_CORRUPT);
		rest[m.csize - MEMBER_HEAD - 8 + (uint64_t)i] ^= 1;
	}
	rest[6] ^= 1; /* a byte that is stored, with a ccrc that fits */
	m.ccrc = zip_crc32(rest, m.csize - 72);
	assert_int_equal(member_decode(&m, rest, out, &err), -1);
	buf_release(&b);
}

static void random_headers_do_no_harm(void **state)
{
	uint8_t head[MEMBER_HEAD];
	struct member m = {.kind = 'B'};
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	uint32_t r[4];

	(void)state;
	assert_int_equal(member_encode(&m, "payload", 7, 0, &b, &err), 0);
	for (uint64_t i = 0; i < 50000; i++) {
		memcpy(head, b.data, sizeof head);
		for (int k = 0; k < 3; k++) {
			rng_bits(3, (uint64_t)k, i, r);
			memcpy(head + 16 + r[0] % 44, r + 1, 1 + r[3] % 4);
		}
		refresh((char *)head);
		if (member_parse(&m, head, MEMBER_MAX_PAYLOAD, &err) == 0) {
			assert_true(m.usize <= MEMBER_MAX_PAYLOAD);
			assert_true(m.csize <= m.usize + m.usize / 1024 + 1024);
			assert_true(m.nrec <= MEMBER_MAX_RECORDS);
		}
	}
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layout_is_as_specified),
		cmocka_unit_test(all_sizes_and_levels_round_trip),
		cmocka_unit_test(end_is_of_one_size),
		cmocka_unit_test(limit_is_the_callers),
		cmocka_unit_test(bombs_die_by_their_header),
		cmocka_unit_test(every_check_stands_alone),
		cmocka_unit_test(random_headers_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
