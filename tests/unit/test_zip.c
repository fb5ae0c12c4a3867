/* Deflate, inflate, and files that may be gzipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/rng.h"
#include "io/member.h"
#include "io/zip.h"

static char path[40];
static int fd;

static int setup(void **state)
{
	(void)state;
	fd = memfd_create("file", MFD_CLOEXEC);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return fd < 0;
}

static int teardown(void **state)
{
	(void)state;
	return close(fd);
}

static void file_set(const void *bytes, size_t n)
{
	assert_int_equal(ftruncate(fd, (off_t)n), 0);
	assert_int_equal(pwrite(fd, bytes, n, 0), (ssize_t)n);
}

/* Bytes that compress a little. */
static char *content(size_t n)
{
	char *p = malloc(n + 1);

	for (size_t i = 0; i < n; i++)
		p[i] = (char)('a' + (int)(rng_uniform(1, 2, i) * rng_uniform(1, 3, i) * 26));
	return p;
}

static void checksum_is_the_usual_one(void **state)
{
	(void)state;
	assert_int_equal(zip_crc32("123456789", 9), 0xcbf43926);
	assert_int_equal(zip_crc32("", 0), 0);
}

/* By its definition, a bit at a time. */
static uint32_t plain_crc(const uint8_t *p, size_t n)
{
	uint32_t crc = ~0u;

	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (int k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static void checksum_of_any_size_from_anywhere(void **state)
{
	uint8_t bytes[700];

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * i * 31 + i / 5);
	for (size_t n = 0; n <= 600; n++)
		for (size_t from = 0; from < 100; from += 1 + n % 17)
			assert_int_equal(zip_crc32(bytes + from, n), plain_crc(bytes + from, n));
}

static void what_goes_in_comes_out(void **state)
{
	static const size_t sizes[] = {
		0, 1, 2, 63, 64, 1024, 65535, 65536, 1 << 20, (1 << 20) + 77};

	(void)state;
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
		for (int level = 0; level <= 9; level += 3) {
			size_t n = sizes[s];
			char *in = content(n), *out = malloc(n + 1);
			struct buf b = BUF_INIT;
			struct err err = ERR_INIT;

			buf_add_str(&b, "before");
			assert_int_equal(zip_deflate(in, n, level, &b, &err), 0);
			assert_memory_equal(b.data, "before", 6);
			if (level == 0)
				assert_true(b.len - 6 <= n + 5 * (n / 65535 + 1));
			assert_int_equal(zip_inflate(b.data + 6, b.len - 6, out, n, &err), 0);
			assert_memory_equal(in, out, n);
			/* Not one byte more or less, on either side. */
			assert_int_equal(zip_inflate(b.data + 6, b.len - 6, out, n + 1, &err), -1);
			assert_int_equal(err.code, ERR_CORRUPT);
			if (n)
				assert_int_equal(
					zip_inflate(b.data + 6, b.len - 6, out, n - 1, &err), -1);
			assert_int_equal(zip_inflate(b.data + 6, b.len - 7, out, n, &err), -1);
			buf_add_char(&b, 0);
			assert_int_equal(zip_inflate(b.data + 6, b.len - 6, out, n, &err), -1);
			buf_release(&b);
			free(in);
			free(out);
		}
}

static void noise_does_not_inflate(void **state)
{
	char out[1000];

	(void)state;
	for (uint64_t i = 0; i < 20000; i++) {
		struct err err = ERR_INIT;
		uint32_t noise[8];

		rng_bits(i, 0, 0, noise);
		rng_bits(i, 0, 1, noise + 4);
		zip_inflate(noise, i % 33, out, i % 1000, &err);
	}
}

/* A gzip member, by the code that writes streams. */
static void add_gzip(struct buf *b, const char *text, size_t n)
{
	struct member m = {.kind = MEMBER_BLOCK};
	struct err err = ERR_INIT;

	assert_int_equal(member_encode(&m, text, n, 6, b, &err), 0);
}

/* Reads the file in pieces; 0 with *n bytes in out, or -1 with *code. */
static int read_all(char *out, size_t room, size_t piece, size_t *n, int *code)
{
	struct err err = ERR_INIT;
	struct zipfile *z = zipfile_open(path, &err);
	size_t got = 1;
	int rc = z ? 0 : -1;

	for (*n = 0; rc == 0 && got; *n += got) {
		assert_true(*n + piece <= room);
		got = 0;
		rc = zipfile_read(z, out + *n, piece, &got, &err);
		if (rc == 0 && got < piece) { /* only at the end */
			size_t again = 1;

			assert_int_equal(zipfile_read(z, out + *n + got, 1, &again, &err), 0);
			assert_int_equal(again, 0);
		}
	}
	zipfile_close(z);
	*code = err.code;
	return rc;
}

static void plain_files_are_read_as_they_are(void **state)
{
	static const size_t sizes[] = {0, 1, 2, 3, 1000, 65536, 65537, 200000};
	static const size_t pieces[] = {1, 7, 65536, 300000};
	char *out = malloc(600000), *in = content(200000);
	size_t n;
	int code;

	(void)state;
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
		for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
			file_set(in, sizes[s]);
			assert_int_equal(read_all(out, 600000, pieces[p], &n, &code), 0);
			assert_int_equal(n, sizes[s]);
			assert_memory_equal(in, out, n);
		}
	file_set("\x1f", 1); /* half of gzip's magic is no gzip */
	assert_int_equal(read_all(out, 600000, 10, &n, &code), 0);
	assert_int_equal(n, 1);
	free(in);
	free(out);
}

static void all_gzip_members_are_read(void **state)
{
	static const size_t pieces[] = {1, 7, 65536, 300000};
	char *out = malloc(600000), *in = content(200000);
	struct buf b = BUF_INIT;
	size_t n;
	int code;

	(void)state;
	add_gzip(&b, in, 150000);
	add_gzip(&b, "", 0);
	add_gzip(&b, in + 150000, 49999);
	add_gzip(&b, in + 199999, 1);
	add_gzip(&b, "", 0);
	file_set(b.data, b.len);
	for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
		assert_int_equal(read_all(out, 600000, pieces[p], &n, &code), 0);
		assert_int_equal(n, 200000);
		assert_memory_equal(in, out, n);
	}
	buf_release(&b);
	free(in);
	free(out);
}

/* A cut between two members cannot be seen by gzip; any other is. */
static void cut_and_damaged_files_are_refused(void **state)
{
	char out[4000];
	struct buf b = BUF_INIT;
	size_t first, n;
	int code;

	(void)state;
	add_gzip(&b, "some text that goes on and on and on", 36);
	first = b.len;
	add_gzip(&b, "more", 4);
	for (size_t cut = 2; cut < b.len; cut++) {
		file_set(b.data, cut);
		assert_int_equal(read_all(out, sizeof out, 16, &n, &code), cut == first ? 0 : -1);
		assert_true(cut == first || code == ERR_CORRUPT);
	}
	for (size_t at = first - 8; at < first; at++) {
		b.data[at] ^= 1;
		file_set(b.data, b.len);
		assert_int_equal(read_all(out, sizeof out, 16, &n, &code), -1);
		assert_int_equal(code, ERR_CORRUPT);
		b.data[at] ^= 1;
	}
	buf_add_str(&b, "trailing garbage");
	file_set(b.data, b.len);
	assert_int_equal(read_all(out, sizeof out, 16, &n, &code), -1);
	assert_int_equal(code, ERR_CORRUPT);
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksum_is_the_usual_one),
		cmocka_unit_test(checksum_of_any_size_from_anywhere),
		cmocka_unit_test(what_goes_in_comes_out),
		cmocka_unit_test(noise_does_not_inflate),
		cmocka_unit_test(plain_files_are_read_as_they_are),
		cmocka_unit_test(all_gzip_members_are_read),
		cmocka_unit_test(cut_and_damaged_files_are_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
