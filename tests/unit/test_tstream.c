/* Tensor streams: written and read back, and broken in every way there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "io/file.h"
#include "io/prefreader.h"
#include "io/prefwriter.h"
#include "io/tscheck.h"
#include "io/tshop.h"
#include "io/zip.h"

static const struct tsreader_options alone = {.threads = 0};

/* ---- lib/base/mem.c again, to be told to fail */

static long allowed = -1; /* allocations from now on; negative: any number */

static bool refused(struct err *err)
{
	if (__atomic_load_n(&allowed, __ATOMIC_RELAXED) < 0)
		return false;
	if (__atomic_fetch_sub(&allowed, 1, __ATOMIC_RELAXED) > 0)
		return false;
	__atomic_store_n(&allowed, 0, __ATOMIC_RELAXED); /* and none after that one */
	err_set(err, ERR_LIMIT, "refused");
	return true;
}

void *mem_new(size_t n, size_t size, struct err *err)
{
	return refused(err) ? NULL : calloc(n ? n : 1, size);
}

void *mem_new_aligned(size_t n, size_t size, struct err *err)
{
	return refused(err) ? NULL : aligned_alloc(64, (n * size + 64) / 64 * 64);
}

int mem_grow(void *array, size_t *cap, size_t need, size_t size, struct err *err)
{
	void *p;

	if (need <= *cap)
		return 0;
	if (refused(err))
		return -1;
	memcpy(&p, array, sizeof p);
	p = realloc(p, (need + need / 2 + 16) * size);
	memcpy(array, &p, sizeof p);
	*cap = need + need / 2 + 16;
	return 0;
}

char *mem_copy(const char *bytes, size_t n, struct err *err)
{
	char *p = refused(err) ? NULL : malloc(n + 1);

	if (p) {
		memcpy(p, bytes, n);
		p[n] = '\0';
	}
	return p;
}

/* ---- streams in memory, and files that are not on a disk */

static char disk_path[40]; /* a file whose bytes disk_set() replaces */
static int disk_fd;

static void disk_set(const void *bytes, size_t n)
{
	assert_int_equal(ftruncate(disk_fd, (off_t)n), 0);
	assert_int_equal(pwrite(disk_fd, bytes, n, 0), (ssize_t)n);
}

/* 0 or the error's code: of a check of all, of one of the headers. */
static int check_full(const void *bytes, size_t n)
{
	struct tscheck c;
	struct err err = ERR_INIT;

	disk_set(bytes, n);
	return tscheck_full(&c, disk_path, &alone, &err) ? err.code : 0;
}

static int check_quick(const void *bytes, size_t n)
{
	struct tscheck c;
	struct err err = ERR_INIT;

	disk_set(bytes, n);
	return tscheck_quick(&c, disk_path, &alone, &err) ? err.code : 0;
}

static void assert_refused(const struct buf *b, int code)
{
	assert_int_equal(check_full(b->data, b->len), code);
	assert_int_equal(check_quick(b->data, b->len), code);
}

static void assert_accepted(const struct buf *b)
{
	assert_int_equal(check_full(b->data, b->len), 0);
	assert_int_equal(check_quick(b->data, b->len), 0);
}

/* A stream put together by hand, so that each part can be wrong. */
struct forge {
	struct buf out;
	uint64_t seq, records;
	struct sha256 payloads;
	size_t at[16]; /* where the members are */
	int n;
};

static void forge_member(struct forge *f, char kind, const void *payload, size_t n, uint32_t nrec)
{
	struct member m = {.kind = kind, .nrec = nrec, .seq = f->seq++, .first = f->records};
	struct err err = ERR_INIT;

	f->at[f->n++] = f->out.len;
	assert_int_equal(member_encode(&m, payload, n, kind == 'E' ? 0 : 1, &f->out, &err), 0);
	f->records += nrec;
	if (kind != 'E')
		sha256_add(&f->payloads, payload, n);
}

static void forge_meta(struct forge *f, char kind, const char *const *pairs)
{
	struct safetensors doc = SAFETENSORS_INIT;
	struct buf payload = BUF_INIT;
	struct err err = ERR_INIT;
	uint64_t length = MEMBER_END_PAYLOAD - 8;

	for (; *pairs; pairs += 2)
		assert_int_equal(meta_set(&doc.meta, pairs[0], pairs[1], &err), 0);
	assert_int_equal(safetensors_encode(&doc, &payload, &err), 0);
	while (kind == 'E' && payload.len < MEMBER_END_PAYLOAD)
		buf_add_char(&payload, ' ');
	if (kind == 'E')
		memcpy(payload.data, &length, 8);
	forge_member(f, kind, payload.data, payload.len, 0);
	safetensors_release(&doc);
	buf_release(&payload);
}

static void forge_head(struct forge *f, const char *vocab)
{
	const char *pairs[] = {
		"format", "tstream", "version", "1.0", "schema", "numbers", "vocab", vocab, NULL};

	f->seq = f->records = 0;
	sha256_init(&f->payloads);
	forge_meta(f, 'H', pairs);
}

/* n records of one number each. */
static void forge_block(struct forge *f, uint32_t n)
{
	struct safetensors doc = SAFETENSORS_INIT;
	struct buf payload = BUF_INIT;
	struct err err = ERR_INIT;
	int64_t shape = n;

	assert_int_equal(safetensors_add(&doc, "x", I64, 1, &shape, &err), 0);
	assert_int_equal(safetensors_encode(&doc, &payload, &err), 0);
	for (int64_t i = 0; i < n; i++)
		buf_add(&payload, &i, sizeof i);
	forge_member(f, 'B', payload.data, payload.len, n);
	safetensors_release(&doc);
	buf_release(&payload);
}

static void forge_end(struct forge *f)
{
	char records[24], members[24], hex[65];
	uint8_t digest[32];
	const char *pairs[] = {"records", records, "members", members, "payload.sha256", hex, NULL};

	snprintf(records, sizeof records, "%llu", (unsigned long long)f->records);
	snprintf(members, sizeof members, "%llu", (unsigned long long)f->seq - 1);
	sha256_finish(&f->payloads, digest);
	sha256_hex(digest, hex);
	forge_meta(f, 'E', pairs);
}

static struct forge forge_whole(void)
{
	struct forge f = {.out = BUF_INIT};

	forge_head(&f, "7");
	forge_block(&f, 1);
	forge_block(&f, 3);
	forge_block(&f, 3);
	forge_end(&f);
	return f;
}

/* Changes a field of member i's header and makes its checksum right again. */
static void forge_patch(struct forge *f, int i, size_t at, const void *bytes, size_t n)
{
	char *head = f->out.data + f->at[i];
	uint32_t crc;

	memcpy(head + at, bytes, n);
	crc = zip_crc32(head, 60);
	memcpy(head + 60, &crc, 4);
}

static size_t member_size(const struct forge *f, int i)
{
	return (i + 1 < f->n ? f->at[i + 1] : f->out.len) - f->at[i];
}

/* ---- preference records to a file and back */

static char folder[] = "/tmp/test_tstream.XXXXXX";
static char path[64];

static int setup(void **state)
{
	(void)state;
	disk_fd = memfd_create("stream", MFD_CLOEXEC);
	snprintf(disk_path, sizeof disk_path, "/proc/self/fd/%d", disk_fd);
	if (disk_fd < 0 || !mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/a.tsz", folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(disk_fd);
	unlink(path);
	return rmdir(folder); /* fails where a test left something */
}

static struct pref_rec record(uint32_t i)
{
	static int64_t seg[5];
	static int32_t tokens[900], skip[3], cut[6];
	static float logp[3], tlogp[900], label[3];
	struct pref_rec r = {.id = i * 0x9e3779b97f4a7c15,
		.k = 1 + (int)(i % 3),
		.seg = seg,
		.tokens = tokens,
		.skip = skip,
		.cut = cut,
		.label = label,
		.logp = {logp},
		.tlogp = {tlogp},
		.meta = "{\"a\":1}",
		.meta_len = i % 2 ? 7 : 0};

	for (int s = 0; s <= r.k; s++)
		seg[s + 1] = seg[s] + (i * 7 + (uint32_t)s * 13) % 200;
	for (int t = 0; t < 900; t++) {
		tokens[t] = (int32_t)((i + 1) * (uint32_t)t % 1000);
		tlogp[t] = -(float)t / 7;
	}
	for (int c = 0; c < 3; c++) {
		skip[c] = pref_len(&r, c < r.k ? c + 1 : 1) > 0 && i % 5 == 0;
		logp[c] = -(float)i - (float)c;
		label[c] = (float)c;
		cut[2 * c] = c;
	}
	return r;
}

static const struct pref_schema everything = {.label = true,
	.cut = true,
	.meta = true,
	.nlogps = 1,
	.logp = {"ref"},
	.tlogp = {true},
	.vocab = 1000};

static void write_records(uint32_t n, int threads, int level)
{
	struct tswriter_options options = {.threads = threads, .level = level};
	struct meta meta = META_INIT;
	struct err err = ERR_INIT;
	struct prefwriter *w = prefwriter_open(path, &meta, &everything, &options, &err);

	assert_non_null(w);
	for (uint32_t i = 0; i < n; i++) {
		struct pref_rec r = record(i);

		assert_int_equal(prefwriter_add(w, &r, &err), 0);
	}
	assert_int_equal(prefwriter_finish(w, NULL, 2, 3, NULL, &err), 0);
	prefwriter_close(w);
}

static void assert_same_record(const struct pref_rec *a, const struct pref_rec *b)
{
	size_t k = (size_t)a->k, counted = (size_t)pref_tlogp_start(a, a->k);

	assert_int_equal(a->id, b->id);
	assert_int_equal(a->k, b->k);
	for (int s = 0; s <= a->k; s++)
		assert_int_equal(pref_len(a, s), pref_len(b, s));
	assert_memory_equal(a->tokens + a->seg[0], b->tokens + b->seg[0],
		(size_t)(a->seg[k + 1] - a->seg[0]) * sizeof *a->tokens);
	assert_memory_equal(a->skip, b->skip, k * sizeof *a->skip);
	assert_memory_equal(a->cut, b->cut, 2 * k * sizeof *a->cut);
	assert_memory_equal(a->label, b->label, k * sizeof *a->label);
	assert_memory_equal(a->logp[0], b->logp[0], k * sizeof(float));
	assert_memory_equal(a->tlogp[0], b->tlogp[0], counted * sizeof(float));
	assert_int_equal(a->meta_len, b->meta_len);
	assert_memory_equal(a->meta, b->meta, a->meta_len);
}

static void assert_reads_back(uint32_t n, int threads)
{
	struct tsreader_options options = {.threads = threads};
	char *paths[] = {path};
	struct err err = ERR_INIT;
	struct prefreader *r = prefreader_open(paths, 1, &options, &err);
	struct pref_rec got, want;

	assert_non_null(r);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(prefreader_next(r, &got, &err), 1);
		want = record(i);
		assert_same_record(&want, &got);
	}
	assert_int_equal(prefreader_next(r, &got, &err), 0);
	assert_int_equal(prefreader_next(r, &got, &err), 0);
	assert_int_equal(prefreader_totals(r)->records, n);
	assert_int_equal(prefreader_totals(r)->dropped, 2);
	assert_int_equal(prefreader_totals(r)->truncated, 3);
	prefreader_close(r);
}

static void bytes_do_not_depend_on_threads(void **state)
{
	static const int threads[] = {0, 1, 4};
	struct buf first = BUF_INIT, other = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	for (int level = 0; level <= 6; level += 3) {
		for (int t = 0; t < 3; t++) {
			struct buf *b = t ? &other : &first;

			write_records(3000, threads[t], level);
			buf_clear(b);
			assert_int_equal(file_read(path, 1 << 30, b, &err), 0);
			assert_int_equal(b->len, first.len);
			assert_memory_equal(b->data, first.data, first.len);
			assert_reads_back(3000, threads[t]);
		}
		assert_int_equal(check_full(first.data, first.len), 0);
		assert_int_equal(check_quick(first.data, first.len), 0);
	}
	buf_release(&first);
	buf_release(&other);
}

/* At 1 MiB of data; a record that is larger stands alone. */
static void blocks_close_by_content(void **state)
{
	static const struct {
		int64_t bytes;			 /* of text */
		uint32_t records, blocks, first; /* first: records in the first block */
	} cases[] = {{0, 200000, 7, 32767}, {1000, 3000, 3, 1016}, {600000, 5, 5, 1},
		{3000000, 3, 3, 1}};
	static const struct pref_schema s = {.text = true};
	struct tswriter_options options = {.level = 1};
	struct meta meta = META_INIT;
	struct err err = ERR_INIT;
	char *paths[] = {path}, *text = calloc(3000000, 1);

	(void)state;
	for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
		int64_t seg[] = {0, 0, cases[c].bytes};
		struct pref_rec r = {.k = 1, .seg = seg, .text = text};
		struct prefwriter *w = prefwriter_open(path, &meta, &s, &options, &err);
		struct tsreader *in;
		struct tsblock *b;
		uint32_t blocks = 0;

		assert_non_null(w);
		for (uint32_t i = 0; i < cases[c].records; i++)
			assert_int_equal(prefwriter_add(w, &r, &err), 0);
		assert_int_equal(prefwriter_finish(w, NULL, 0, 0, NULL, &err), 0);
		prefwriter_close(w);
		in = tsreader_open(paths, 1, &alone, &err);
		assert_non_null(in);
		while (tsreader_next(in, &b, &err) == 1) {
			assert_true(b->doc.size <= 1 << 20 || b->member.nrec == 1);
			if (!blocks++)
				assert_int_equal(b->member.nrec, cases[c].first);
		}
		assert_int_equal(tsreader_totals(in)->records, cases[c].records);
		assert_int_equal(blocks, cases[c].blocks);
		tsreader_close(in);
	}
	free(text);
}

static void no_records_are_a_stream_too(void **state)
{
	(void)state;
	write_records(0, 1, 1);
	assert_reads_back(0, 2);
}

/* ---- damage */

static struct buf small_stream(void)
{
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;

	write_records(4, 0, 1);
	assert_int_equal(file_read(path, 1 << 20, &b, &err), 0);
	return b;
}

static void every_truncation_is_refused(void **state)
{
	struct buf b = small_stream();

	(void)state;
	assert_int_equal(check_full(b.data, b.len), 0);
	assert_int_equal(check_quick(b.data, b.len), 0);
	for (size_t n = 0; n < b.len; n++) {
		assert_int_equal(check_full(b.data, n), ERR_CORRUPT);
		assert_int_equal(check_quick(b.data, n), ERR_CORRUPT);
	}
	buf_release(&b);
}

static void every_flipped_bit_is_refused(void **state)
{
	struct buf b = small_stream();

	(void)state;
	for (size_t bit = 0; bit < 8 * b.len; bit++) {
		b.data[bit / 8] ^= (char)(1 << bit % 8);
		if (check_full(b.data, b.len) != ERR_CORRUPT)
			fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
		check_quick(b.data, b.len);
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
		assert_refused(&b, ERR_CORRUPT);
	}
	buf_release(&b);
}

static void lost_doubled_and_swapped_members_are_refused(void **state)
{
	struct forge f = forge_whole();
	struct buf b = BUF_INIT;

	(void)state;
	assert_accepted(&f.out);
	for (int i = 0; i < f.n; i++) {
		const char *me = f.out.data + f.at[i], *next = me + member_size(&f, i);

		buf_clear(&b);
		buf_add(&b, f.out.data, f.at[i]);
		buf_add(&b, next, (size_t)(f.out.data + f.out.len - next));
		assert_refused(&b, ERR_CORRUPT);
		buf_clear(&b);
		buf_add(&b, f.out.data, f.at[i] + member_size(&f, i));
		buf_add(&b, me, (size_t)(f.out.data + f.out.len - me));
		assert_refused(&b, ERR_CORRUPT);
		for (int j = i + 1; j < f.n; j++) {
			buf_clear(&b);
			for (int k = 0; k < f.n; k++) {
				int from = k == i ? j : k == j ? i : k;

				buf_add(&b, f.out.data + f.at[from], member_size(&f, from));
			}
			assert_refused(&b, ERR_CORRUPT);
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
	assert_accepted(&f.out);
	f.n = 0;
	f.seq = f.records = 0;
	sha256_init(&f.payloads);
	forge_meta(&f, 'H', prov);
	forge_end(&f);
	assert_accepted(&f.out);
	forge_head(&f, "8");
	forge_end(&f);
	assert_refused(&f.out, ERR_MISMATCH);
	buf_release(&f.out);
}

static void digest_is_that_of_the_segments(void **state)
{
	struct forge one = forge_whole(), two = forge_whole();
	struct tscheck a, b;
	struct err err = ERR_INIT;

	(void)state;
	buf_add(&two.out, one.out.data, one.out.len);
	disk_set(one.out.data, one.out.len);
	assert_int_equal(tscheck_full(&a, disk_path, &alone, &err), 0);
	disk_set(two.out.data, two.out.len);
	assert_int_equal(tscheck_full(&b, disk_path, &alone, &err), 0);
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
		if (check_full(f.out.data, f.out.len) != patches[i].code ||
			check_quick(f.out.data, f.out.len) != patches[i].code)
			fail_msg("patch %zu", i);
		buf_release(&f.out);
	}
	for (size_t i = 0; i < sizeof huge / sizeof *huge; i++) {
		struct forge f = forge_whole();

		forge_patch(&f, 2, 40, &huge[i], 8); /* csize */
		assert_refused(&f.out, ERR_CORRUPT);
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
		assert_int_equal(check_full(f.out.data, f.out.len), off ? ERR_CORRUPT : 0);
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
	assert_accepted(&f.out);
	buf_release(&f.out);

	f = (struct forge){.out = BUF_INIT};
	forge_head(&f, "7");
	forge_member(&f, 'N', "a note, not a document", 22, 0);
	forge_end(&f);
	assert_refused(&f.out, ERR_CORRUPT);
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
		assert_refused(&f.out, ERR_CORRUPT);
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
		assert_int_equal(check_full(f.out.data, f.out.len), ends[i].full ? ERR_CORRUPT : 0);
		assert_int_equal(
			check_quick(f.out.data, f.out.len), ends[i].quick ? ERR_CORRUPT : 0);
		buf_release(&f.out);
	}
}

static void failure_is_for_good(void **state)
{
	struct forge f = forge_whole();
	char *paths[] = {disk_path};
	struct err err = ERR_INIT;
	struct tsreader *r;
	struct tsblock *b;

	(void)state;
	disk_set(f.out.data, f.at[4]); /* no END */
	for (int threads = 0; threads <= 3; threads++) {
		struct tsreader_options options = {.threads = threads};

		r = tsreader_open(paths, 1, &options, &err);
		assert_non_null(r);
		for (int i = 0; i < 3; i++)
			assert_int_equal(tsreader_next(r, &b, &err), 1);
		for (int i = 0; i < 3; i++) {
			err.code = 0;
			assert_int_equal(tsreader_next(r, &b, &err), -1);
			assert_int_equal(err.code, ERR_CORRUPT);
			assert_non_null(strstr(err.text, "no END"));
		}
		tsreader_close(r);
	}
	buf_release(&f.out);
}

/* ---- pipes, and readers that give up */

struct dripping {
	int fd;
	const struct buf *bytes;
};

static void *drip(void *arg)
{
	struct dripping *d = arg;

	for (size_t i = 0; i < d->bytes->len; i++)
		if (write(d->fd, d->bytes->data + i, 1) != 1)
			break;
	close(d->fd);
	return NULL;
}

static void pipe_path(char text[40], int fd)
{
	snprintf(text, 40, "/proc/self/fd/%d", fd);
}

static void pipes_are_read_byte_by_byte(void **state)
{
	struct forge f = forge_whole();
	struct tscheck c;
	struct err err = ERR_INIT;
	char name[40];

	(void)state;
	for (int full = 0; full <= 1; full++) {
		struct dripping d = {.bytes = &f.out};
		pthread_t thread;
		int fds[2];

		assert_int_equal(pipe(fds), 0);
		pipe_path(name, fds[0]);
		d.fd = fds[1];
		assert_int_equal(pthread_create(&thread, NULL, drip, &d), 0);
		assert_int_equal((full ? tscheck_full : tscheck_quick)(&c, name, &alone, &err), 0);
		assert_int_equal(c.totals.records, 7);
		assert_int_equal(c.bytes, f.out.len);
		pthread_join(thread, NULL);
		close(fds[0]);
	}
	buf_release(&f.out);
}

/* A writer that neither writes nor closes must not keep the reader from closing. */
static void closing_does_not_wait_for_input(void **state)
{
	struct forge f = forge_whole();
	char name[40], fifo[64];
	char *paths[2] = {name, fifo};
	struct err err = ERR_INIT;
	struct tsreader *r;
	struct tsblock *b;
	int fds[2];

	(void)state;
	alarm(60);
	snprintf(fifo, sizeof fifo, "%s/fifo", folder);
	for (int threads = 0; threads <= 2; threads++) {
		struct tsreader_options options = {.threads = threads};

		for (size_t n = f.at[1]; n < f.out.len; n += 97) {
			assert_int_equal(pipe(fds), 0);
			pipe_path(name, fds[0]);
			assert_int_equal(write(fds[1], f.out.data, n), (ssize_t)n);
			r = tsreader_open(paths, 1, &options, &err);
			assert_non_null(r);
			if (n > f.at[2])
				assert_int_equal(tsreader_next(r, &b, &err), 1);
			tsreader_close(r);
			close(fds[0]);
			close(fds[1]);
		}
		/* Nor a FIFO that nobody opened for writing. */
		assert_int_equal(mkfifo(fifo, 0600), 0);
		disk_set(f.out.data, f.out.len);
		strcpy(name, disk_path);
		r = tsreader_open(paths, 2, &options, &err);
		assert_non_null(r);
		assert_int_equal(tsreader_next(r, &b, &err), 1);
		usleep(10000);
		tsreader_close(r);
		unlink(fifo);
	}
	alarm(0);
	buf_release(&f.out);
}

/* Also among others: a file is whole, or there is no END. */
static void each_file_must_be_whole(void **state)
{
	struct forge f = forge_whole();
	char *paths[3] = {disk_path, path, disk_path};
	size_t sizes[] = {0, f.at[0] + 64, f.at[1], f.at[4]};
	struct err err = ERR_INIT;

	(void)state;
	disk_set(f.out.data, f.out.len);
	for (int i = 0; i < 4; i++)
		for (int n = 2; n <= 3; n++) {
			FILE *out = fopen(path, "w");
			struct tsreader *r;
			struct tsblock *b;
			int rc;

			assert_int_equal(fwrite(f.out.data, 1, sizes[i], out), sizes[i]);
			fclose(out);
			r = tsreader_open(paths, n, &alone, &err);
			assert_non_null(r);
			while ((rc = tsreader_next(r, &b, &err)) == 1)
				;
			assert_int_equal(rc, -1);
			assert_int_equal(err.code, ERR_CORRUPT);
			assert_non_null(strstr(err.text, path));
			tsreader_close(r);
		}
	buf_release(&f.out);
}

static void files_are_read_one_after_the_other(void **state)
{
	struct forge f = forge_whole();
	char *paths[3] = {disk_path, disk_path, disk_path}, *missing[2] = {disk_path, path};
	struct err err = ERR_INIT;
	struct tsreader *r;
	struct tsblock *b;
	int rc, blocks = 0;

	(void)state;
	disk_set(f.out.data, f.out.len);
	r = tsreader_open(paths, 3, &alone, &err);
	assert_non_null(r);
	while ((rc = tsreader_next(r, &b, &err)) == 1)
		blocks++;
	assert_int_equal(rc, 0);
	assert_int_equal(blocks, 9);
	assert_int_equal(tsreader_totals(r)->records, 21);
	tsreader_close(r);

	unlink(path);
	r = tsreader_open(missing, 2, &alone, &err);
	assert_non_null(r);
	while ((rc = tsreader_next(r, &b, &err)) == 1)
		;
	assert_int_equal(rc, -1);
	assert_int_equal(err.code, ERR_FAILED);
	tsreader_close(r);
	assert_null(tsreader_open(missing + 1, 1, &alone, &err));
	buf_release(&f.out);
}

/* ---- the writer's failures */

static void full_disk_is_reported(void **state)
{
	(void)state;
	for (int threads = 0; threads <= 4; threads += 2) {
		struct tswriter_options options = {.threads = threads};
		struct meta meta = META_INIT;
		struct err err = ERR_INIT;
		struct prefwriter *w =
			prefwriter_open("/dev/full", &meta, &everything, &options, &err);
		int rc = 0;

		assert_non_null(w);
		for (uint32_t i = 0; rc == 0 && i < 2000; i++) {
			struct pref_rec r = record(i);

			rc = prefwriter_add(w, &r, &err);
		}
		if (rc == 0)
			rc = prefwriter_finish(w, NULL, 0, 0, NULL, &err);
		assert_int_equal(rc, -1);
		assert_int_equal(err.code, ERR_FAILED);
		assert_non_null(strstr(err.text, "/dev/full"));
		prefwriter_close(w);
	}
}

static void unfinished_files_get_no_name(void **state)
{
	struct tswriter_options options = {.threads = 2, .level = 1};
	struct meta meta = META_INIT;
	struct err err = ERR_INIT;
	struct prefwriter *w;
	struct pref_rec r = record(1);

	(void)state;
	unlink(path);
	w = prefwriter_open(path, &meta, &everything, &options, &err);
	assert_non_null(w);
	assert_int_equal(prefwriter_add(w, &r, &err), 0);
	assert_int_equal(access(path, F_OK), -1);
	prefwriter_close(w);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(rmdir(folder), 0); /* nothing else either */
	assert_int_equal(mkdir(folder, 0700), 0);

	/* And what was there stays. */
	write_records(3, 0, 1);
	w = prefwriter_open(path, &meta, &everything, &options, &err);
	prefwriter_close(w);
	assert_reads_back(3, 0);
}

/* ---- memory that runs out */

static int write_some(int threads, struct err *err)
{
	struct tswriter_options options = {.threads = threads, .level = 1};
	struct meta meta = META_INIT;
	struct prefwriter *w = prefwriter_open(path, &meta, &everything, &options, err);
	int rc = w ? 0 : -1;

	for (uint32_t i = 0; rc == 0 && i < 700; i++) {
		struct pref_rec r = record(i);

		rc = prefwriter_add(w, &r, err);
	}
	if (rc == 0)
		rc = prefwriter_finish(w, NULL, 0, 0, NULL, err);
	prefwriter_close(w);
	return rc;
}

static int read_some(int threads, struct err *err)
{
	struct tsreader_options options = {.threads = threads};
	struct prefreader *r;
	struct pref_rec rec;
	char *paths[] = {path};
	int rc;

	r = prefreader_open(paths, 1, &options, err);
	rc = r ? 1 : -1;
	while (rc == 1)
		rc = prefreader_next(r, &rec, err);
	prefreader_close(r);
	return rc;
}

static int check_some(int threads, struct err *err)
{
	struct tscheck c;

	(void)threads;
	return tscheck_quick(&c, path, &alone, err);
}

/* Each allocation in turn is the one that fails, with all that follow: an error, and nothing left behind. */
static void memory_may_run_out_anywhere(void **state)
{
	static int (*const work[])(int threads, struct err *err) = {
		write_some, read_some, check_some};

	(void)state;
	alarm(120);
	for (int w = 0; w < 3; w++)
		for (int threads = 0; threads <= 2; threads += 2)
			for (long n = 0;;
				n++) { /* what w = 0 wrote at last is read by the others */
				struct err err = ERR_INIT;
				int rc;

				if (w == 0)
					unlink(path);
				__atomic_store_n(&allowed, n, __ATOMIC_RELAXED);
				rc = work[w](threads, &err);
				__atomic_store_n(&allowed, -1, __ATOMIC_RELAXED);
				if (rc == 0)
					break;
				if (err.code != ERR_LIMIT)
					fail_msg("allocation %ld: %d, %s", n, err.code, err.text);
				if (!w)
					assert_int_equal(access(path, F_OK), -1);
				assert_true(n < 2000);
			}
	alarm(0);
}

static void ledger_must_fit(void **state)
{
	struct tswriter_options options = {.threads = 0, .level = 1};
	struct meta meta = META_INIT, extra = META_INIT;
	struct err err = ERR_INIT;
	char text[1024];
	struct tswriter *w = tswriter_open("/dev/null", &meta, &options, &err);

	(void)state;
	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	assert_int_equal(meta_set(&extra, "note", text, &err), 0);
	assert_non_null(w);
	assert_int_equal(tswriter_finish(w, NULL, 0, 0, 0, &extra, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	tswriter_close(w);
	meta_release(&extra);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_do_not_depend_on_threads),
		cmocka_unit_test(blocks_close_by_content),
		cmocka_unit_test(no_records_are_a_stream_too),
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
		cmocka_unit_test(failure_is_for_good),
		cmocka_unit_test(pipes_are_read_byte_by_byte),
		cmocka_unit_test(closing_does_not_wait_for_input),
		cmocka_unit_test(each_file_must_be_whole),
		cmocka_unit_test(files_are_read_one_after_the_other),
		cmocka_unit_test(full_disk_is_reported),
		cmocka_unit_test(unfinished_files_get_no_name),
		cmocka_unit_test(memory_may_run_out_anywhere),
		cmocka_unit_test(ledger_must_fit),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
