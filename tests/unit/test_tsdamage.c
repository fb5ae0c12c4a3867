/* Tensor streams broken in every way there is: cut, flipped, out of order, and with headers and ENDs that lie. */
#include "tests/unit/support/forge.h"
#include "tests/unit/support/memfile.h"
#include "tests/unit/support/records.h"

#include <string.h>

#include "base/sha256.h"
#include "io/file.h"
#include "io/tscheck.h"

static const struct tsreader_options alone = {.threads = 0};

static int setup(void **state)
{
	return memfile_open(state) || records_open(state);
}

static int teardown(void **state)
{
	memfile_close(state);
	return records_close(state);
}

/* ---- damage */

static struct buf small_stream(void)
{
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;

	records_write(4, 0, 1);
	assert_int_equal(file_read(records_path, 1 << 20, &b, &err), 0);
	return b;
}

static void every_truncation_is_refused(void **state)
{
	struct buf b = small_stream();

	(void)state;
	assert_int_equal(memfile_check_full(b.data, b.len), 0);
	assert_int_equal(memfile_check_quick(b.data, b.len), 0);
	for (size_t n = 0; n < b.len; n++) {
		assert_int_equal(memfile_check_full(b.data, n), ERR_CORRUPT);
		assert_int_equal(memfile_check_quick(b.data, n), ERR_CORRUPT);
	}
	buf_release(&b);
}

static void every_flipped_bit_is_refused(void **state)
{
	struct buf b = small_stream();

	(void)state;
	for (size_t bit = 0; bit < 8 * b.len; bit++) {
		b.data[bit / 8] ^= (char)(1 << bit % 8);
		if (memfile_check_full(b.data, b.len) != ERR_CORRUPT)
			fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
		memfile_check_quick(b.data, b.len);
		b.data[bit / 8] ^= (char)(1 << bit % 8);
	}
	buf_release(&b);
}

static void every_byte_too_many_is_refused(void **state)
{
	struct buf b = small_stream();

	(void)state;
	for (int i = 0; i < 100; i++) {
		buf_add_char(&b, (char)(i % 3 ? 0 : i));
		memfile_assert_refused(&b, ERR_CORRUPT);
	}
	buf_release(&b);
}

static void lost_doubled_and_swapped_members_are_refused(void **state)
{
	struct forge f = forge_whole();
	struct buf b = BUF_INIT;

	(void)state;
	memfile_assert_accepted(&f.out);
	for (int i = 0; i < f.n; i++) {
		const char *me = f.out.data + f.at[i], *next = me + forge_member_size(&f, i);

		buf_clear(&b);
		buf_add(&b, f.out.data, f.at[i]);
		buf_add(&b, next, (size_t)(f.out.data + f.out.len - next));
		memfile_assert_refused(&b, ERR_CORRUPT);
		buf_clear(&b);
		buf_add(&b, f.out.data, f.at[i] + forge_member_size(&f, i));
		buf_add(&b, me, (size_t)(f.out.data + f.out.len - me));
		memfile_assert_refused(&b, ERR_CORRUPT);
		for (int j = i + 1; j < f.n; j++) {
			buf_clear(&b);
			for (int k = 0; k < f.n; k++) {
				int from = k == i ? j : k == j ? i : k;

				buf_add(&b, f.out.data + f.at[from], forge_member_size(&f, from));
			}
			memfile_assert_refused(&b, ERR_CORRUPT);
		}
	}
	buf_release(&b);
	buf_release(&f.out);
}

static void segments_must_agree(void **state)
{
	struct forge f = forge_whole();
	const char *prov[] = {"format", "tstream", "version", "1.0", "schema", "numbers", "vocab",
		"7", "prov", "[]", "writer", "another", NULL};

	(void)state;
	forge_head(&f, "7");
	forge_block(&f, 2);
	forge_end(&f);
	memfile_assert_accepted(&f.out);
	f.n = 0;
	f.seq = f.records = 0;
	sha256_init(&f.payloads);
	forge_meta(&f, 'H', prov);
	forge_end(&f);
	memfile_assert_accepted(&f.out);
	forge_head(&f, "8");
	forge_end(&f);
	memfile_assert_refused(&f.out, ERR_MISMATCH);
	buf_release(&f.out);
}

static void digest_is_that_of_the_segments(void **state)
{
	struct forge one = forge_whole(), two = forge_whole();
	struct tscheck a, b;
	struct err err = ERR_INIT;

	(void)state;
	buf_add(&two.out, one.out.data, one.out.len);
	memfile_set(one.out.data, one.out.len);
	assert_int_equal(tscheck_full(&a, memfile_path, &alone, &err), 0);
	memfile_set(two.out.data, two.out.len);
	assert_int_equal(tscheck_full(&b, memfile_path, &alone, &err), 0);
	assert_int_equal(a.totals.records, 7);
	assert_int_equal(b.totals.records, 14);
	assert_int_equal(b.totals.members, 6);
	assert_int_equal(b.segments, 2);
	assert_int_equal(b.bytes, two.out.len);
	assert_string_not_equal(a.totals.payload_sha256, b.totals.payload_sha256);
	buf_release(&one.out);
	buf_release(&two.out);
}

/* ---- each field of the header out of range */

static void header_fields_are_checked(void **state)
{
	static const uint64_t huge[] = {
		0, 1, 72, (uint64_t)1 << 20, (uint64_t)1 << 40, (uint64_t)1 << 63, UINT64_MAX};
	/* clang-format off */
	static const struct {
		int member;
		size_t at, size;
		uint64_t value;
		int code; /* 0: fine */
	} patches[] = {
		{0, 0, 1, 0x1e, ERR_CORRUPT},       /* ID1 */
		{0, 3, 1, 0, ERR_CORRUPT},          /* FLG without FEXTRA */
		{0, 3, 1, 12, ERR_CORRUPT},         /* FNAME besides */
		{0, 4, 4, 1, ERR_CORRUPT},          /* MTIME */
		{0, 9, 1, 3, ERR_CORRUPT},          /* OS */
		{0, 10, 2, 53, ERR_CORRUPT},        /* XLEN */
		{0, 12, 1, 't', ERR_CORRUPT},       /* SI1 */
		{0, 16, 1, 2, ERR_CORRUPT},         /* major */
		{0, 16, 1, 0, ERR_CORRUPT},
		{1, 17, 1, 'X', ERR_CORRUPT},       /* kind */
		{1, 17, 1, 0, ERR_CORRUPT},
		{1, 17, 1, '0', ERR_CORRUPT},
		{1, 17, 1, 0xe9, ERR_CORRUPT},
		{1, 18, 2, 0x0001, ERR_CORRUPT},    /* flags */
		{1, 18, 2, 0x0080, ERR_CORRUPT},
		{1, 18, 2, 0x0100, 0},
		{1, 18, 2, 0xff00, 0},
		{2, 20, 4, 65537, ERR_CORRUPT},     /* nrec */
		{2, 20, 4, UINT32_MAX, ERR_CORRUPT},
		{2, 20, 4, 2, ERR_CORRUPT},
		{0, 20, 4, 1, ERR_CORRUPT},
		{4, 20, 4, 1, ERR_CORRUPT},
		{0, 24, 8, 1, ERR_CORRUPT},         /* seq */
		{2, 24, 8, 3, ERR_CORRUPT},
		{2, 24, 8, UINT64_MAX, ERR_CORRUPT},
		{0, 32, 8, 1, ERR_CORRUPT},         /* first */
		{2, 32, 8, 0, ERR_CORRUPT},
		{4, 32, 8, 6, ERR_CORRUPT},
		{2, 48, 8, ((uint64_t)64 << 20) + 1, ERR_LIMIT}, /* usize */
		{2, 48, 8, UINT64_MAX, ERR_LIMIT},
		{2, 48, 8, (uint64_t)64 << 20, ERR_CORRUPT},     /* a bomb */
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof patches / sizeof *patches; i++) {
		struct forge f = forge_whole();

		forge_patch(
			&f, patches[i].member, patches[i].at, &patches[i].value, patches[i].size);
		if (memfile_check_full(f.out.data, f.out.len) != patches[i].code ||
			memfile_check_quick(f.out.data, f.out.len) != patches[i].code)
			fail_msg("patch %zu", i);
		buf_release(&f.out);
	}
	for (size_t i = 0; i < sizeof huge / sizeof *huge; i++) {
		struct forge f = forge_whole();

		forge_patch(&f, 2, 40, &huge[i], 8); /* csize */
		memfile_assert_refused(&f.out, ERR_CORRUPT);
		buf_release(&f.out);
	}
}

/* Sizes of the payload that are not what comes out are found when it is inflated. */
static void payload_must_end_where_it_should(void **state)
{
	(void)state;
	for (int64_t off = -8; off <= 8; off++) {
		struct forge f = forge_whole();
		uint64_t usize;

		memcpy(&usize, f.out.data + f.at[2] + 48, 8);
		usize += (uint64_t)off;
		forge_patch(&f, 2, 48, &usize, 8);
		assert_int_equal(memfile_check_full(f.out.data, f.out.len), off ? ERR_CORRUPT : 0);
		buf_release(&f.out);
	}
}

static void small_letters_are_skipped(void **state)
{
	struct forge f = {.out = BUF_INIT};

	(void)state;
	forge_head(&f, "7");
	forge_member(&f, 'n', "a note, not a document", 22, 0);
	forge_block(&f, 3);
	forge_member(&f, 'z', "", 0, 0);
	forge_end(&f);
	memfile_assert_accepted(&f.out);
	buf_release(&f.out);

	f = (struct forge){.out = BUF_INIT};
	forge_head(&f, "7");
	forge_member(&f, 'N', "a note, not a document", 22, 0);
	forge_end(&f);
	memfile_assert_refused(&f.out, ERR_CORRUPT);
	buf_release(&f.out);
}

static void header_must_say_what_it_is(void **state)
{
	static const char *const heads[][9] = {
		{"format", "tstream", NULL},
		{"version", "1.0", NULL},
		{"format", "other", "version", "1.0", NULL},
		{"format", "tstream", "version", "2.0", NULL},
		{NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
		struct forge f = {.out = BUF_INIT};

		sha256_init(&f.payloads);
		forge_meta(&f, 'H', heads[i]);
		forge_end(&f);
		memfile_assert_refused(&f.out, ERR_CORRUPT);
		buf_release(&f.out);
	}
}

static void end_is_believed_only_as_far_as_it_goes(void **state)
{
	static const struct {
		const char *pairs[9];
		bool full, quick; /* refused? */
	} ends[] = {
		{{"records", "7", "members", "3", NULL}, false, false},
		{{"records", "7", "members", "3", "tokens", "0", NULL}, false, false},
		{{"records", "7", "members", "3", "tokens", "1", NULL}, true, false},
		{{"records", "7", "members", "3", "payload.sha256", "00", NULL}, true, false},
		{{"records", "8", "members", "3", NULL}, true, true},
		{{"records", "7", "members", "4", NULL}, true, true},
		{{"records", "7", NULL}, true, true},
		{{"members", "3", NULL}, true, true},
		{{"records", "-7", "members", "3", NULL}, true, true},
		{{NULL}, true, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		struct forge f = forge_whole();

		f.out.len = f.at[--f.n];
		f.seq--;
		forge_meta(&f, 'E', ends[i].pairs);
		assert_int_equal(
			memfile_check_full(f.out.data, f.out.len), ends[i].full ? ERR_CORRUPT : 0);
		assert_int_equal(memfile_check_quick(f.out.data, f.out.len),
			ends[i].quick ? ERR_CORRUPT : 0);
		buf_release(&f.out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(every_flipped_bit_is_refused),
		cmocka_unit_test(every_byte_too_many_is_refused),
		cmocka_unit_test(lost_doubled_and_swapped_members_are_refused),
		cmocka_unit_test(segments_must_agree),
		cmocka_unit_test(digest_is_that_of_the_segments),
		cmocka_unit_test(header_fields_are_checked),
		cmocka_unit_test(payload_must_end_where_it_should),
		cmocka_unit_test(small_letters_are_skipped),
		cmocka_unit_test(header_must_say_what_it_is),
		cmocka_unit_test(end_is_believed_only_as_far_as_it_goes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
