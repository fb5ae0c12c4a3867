/*
 * stream FILE FOLDER RUNS: what writing and reading a tensor stream costs. The blocks of FILE are written to /dev/null
 * and to a file in FOLDER, and that is read again with every check, at level 1 and stored. One JSON object a level on
 * stdout: megabytes of payload (10^6 bytes) by the clock and a second of processor time, the best of RUNS; and, to
 * compare, what is left to deflate, inflate, CRC-32 and SHA-256 of the same bytes, each alone, a second of processor time.
 */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "io/file.h"
#include "io/tsreader.h"
#include "io/tswriter.h"
#include "io/zip.h"
#include "tests/bench/support/bench.h"

struct block {
	uint8_t *payload;
	size_t n;
	uint32_t nrec;
	struct buf deflated;
};

static struct block *blocks;
static size_t nblocks, cap;
static double megabytes;
static uint64_t tokens;
static struct meta meta = META_INIT;
static volatile uint32_t sink; /* for results that nobody else looks at */

static void check(int rc, const struct err *err)
{
	if (rc)
		bench_die(err);
}

static void load(char *path)
{
	struct err err = ERR_INIT;
	struct tsreader_options o = {.threads = 0};
	struct tsreader *r = tsreader_open(&path, 1, &o, &err);
	struct tsblock *b;
	int rc = r ? meta_copy(&meta, tsreader_meta(r), &err) : -1;

	while (rc == 0 && (rc = tsreader_next(r, &b, &err)) == 1) {
		check(mem_grow(&blocks, &cap, nblocks + 1, sizeof *blocks, &err), &err);
		blocks[nblocks++] =
			(struct block){b->payload, b->member.usize, b->member.nrec, BUF_INIT};
		megabytes += (double)b->member.usize / 1e6;
		b->payload = NULL;
		rc = 0;
	}
	check(rc, &err);
	tokens = tsreader_totals(r)->tokens;
	tsreader_close(r);
}

static void write_all(const char *path, int level, int threads)
{
	struct err err = ERR_INIT;
	struct tswriter_options o = {threads, level};
	struct tswriter *w = tswriter_open(path, &meta, &o, &err);

	for (size_t i = 0; w && i < nblocks; i++) {
		uint8_t *copy = mem_new_aligned(blocks[i].n, 1, &err);

		check(!copy, &err);
		memcpy(copy, blocks[i].payload, blocks[i].n);
		check(tswriter_put(w, copy, blocks[i].n, blocks[i].nrec, &err), &err);
	}
	check(!w || tswriter_finish(w, NULL, tokens, 0, 0, NULL, &err), &err);
	tswriter_close(w);
}

static void read_all(char *path, int threads)
{
	struct err err = ERR_INIT;
	struct tsreader_options o = {.threads = threads};
	struct tsreader *r = tsreader_open(&path, 1, &o, &err);
	struct tsblock *b;
	int rc = r ? 1 : -1;

	while (rc == 1)
		rc = tsreader_next(r, &b, &err);
	check(rc, &err);
	tsreader_close(r);
}

/* ---- what is timed */

struct job {
	int level, threads;
	char *path;
};

static void do_write(const struct job *j)
{
	write_all("-", j->level, j->threads);
}

static void do_read(const struct job *j)
{
	read_all(j->path, j->threads);
}

static void do_deflate(const struct job *j)
{
	struct err err = ERR_INIT;

	for (size_t i = 0; i < nblocks; i++) {
		buf_clear(&blocks[i].deflated);
		check(zip_deflate(
			      blocks[i].payload, blocks[i].n, j->level, &blocks[i].deflated, &err),
			&err);
	}
}

static void do_inflate(const struct job *j)
{
	static char *out;
	struct err err = ERR_INIT;

	(void)j;
	for (size_t i = 0; i < nblocks; i++) {
		out = realloc(out, blocks[i].n);
		check(!out || zip_inflate(blocks[i].deflated.data, blocks[i].deflated.len, out,
				      blocks[i].n, &err),
			&err);
	}
}

static void do_crc(const struct job *j)
{
	(void)j;
	for (size_t i = 0; i < nblocks; i++)
		sink = zip_crc32(blocks[i].payload, blocks[i].n);
}

static void do_sha(const struct job *j)
{
	struct sha256 h;

	(void)j;
	sha256_init(&h);
	for (size_t i = 0; i < nblocks; i++)
		sha256_add(&h, blocks[i].payload, blocks[i].n);
	sink = h.state[0];
}

struct rate {
	double clock, processor; /* megabytes a second */
};

static struct rate best_of(int runs, void (*work)(const struct job *), const struct job *j)
{
	double clock = INFINITY, processor = INFINITY;

	for (int i = 0; i < runs; i++) {
		struct timespec a, b;
		double start = bench_now();

		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
		work(j);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
		clock = fmin(clock, bench_now() - start);
		processor = fmin(processor,
			(double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) * 1e-9);
	}
	return (struct rate){megabytes / clock, megabytes / processor};
}

static void run(FILE *out, const char *folder, int level, int runs)
{
	struct err err = ERR_INIT;
	struct job j = {level, 1, path_join(folder, "bench.tsz", &err)};
	struct rate w1, w2, r1, r2, deflate, inflate, crc, sha;
	struct stat st;

	check(!j.path, &err);
	write_all(j.path, level, 1);
	deflate = best_of(runs, do_deflate, &j);
	inflate = best_of(runs, do_inflate, &j);
	crc = best_of(runs, do_crc, &j);
	sha = best_of(runs, do_sha, &j);
	w1 = best_of(runs, do_write, &j);
	r1 = best_of(runs, do_read, &j);
	j.threads = 2;
	w2 = best_of(runs, do_write, &j);
	r2 = best_of(runs, do_read, &j);
	if (stat(j.path, &st))
		check(err_sys(&err, "%s", j.path), &err);
	fprintf(out,
		"{\"level\":%d,\"megabytes\":%.1f,\"ratio\":%.3f,\"write\":{\"clock\":%.0f,"
		"\"processor\":%.0f,\"clock_2_threads\":"
		"%.0f},\"read\":{\"clock\":%.0f,\"processor\":%.0f,\"clock_2_threads\":%.0f},"
		"\"alone\":{\"deflate\":%.0f,"
		"\"inflate\":%.0f,\"crc32\":%.0f,\"sha256\":%.0f}}\n",
		level, megabytes, megabytes * 1e6 / (double)st.st_size, w1.clock, w1.processor, w2.clock,
		r1.clock, r1.processor, r2.clock, deflate.processor, inflate.processor,
		crc.processor, sha.processor);
	unlink(j.path);
	free(j.path);
}

int main(int argc, char **argv)
{
	FILE *out = fdopen(dup(STDOUT_FILENO), "w");
	int null = open("/dev/null", O_WRONLY);

	if (argc != 4 || !out || null < 0 || dup2(null, STDOUT_FILENO) < 0)
		return 2;
	mem_keep_blocks(); /* as every program does */
	load(argv[1]);
	run(out, argv[2], 1, atoi(argv[3]));
	run(out, argv[2], 0, atoi(argv[3]));
	return fclose(out) ? 1 : 0;
}
