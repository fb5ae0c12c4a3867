/*
 * encode FOLDER FILE THREADS [ROUNDS]: how fast the tokenizer of a model folder encodes the texts of a file of JSON
 * lines, each a {"text": ...}: text in memory to ids in memory, in MB/s, and in MB for each second that a processor
 * works, which tells more on a machine shared with others; the best of the rounds.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/mem.h"
#include "io/json.h"
#include "io/lines.h"
#include "text/tokenizer.h"

struct text {
	const char *s;
	size_t n;
};

static struct tokenizer *tokenizer;
static struct text *texts;
static size_t n, cap, bytes;
static atomic_size_t next, tokens, busy; /* busy: nanoseconds */

static void check(const void *ok, const struct err *err)
{
	if (ok)
		return;
	fprintf(stderr, "encode: %s\n", err->text);
	exit(1);
}

static void read_texts(const char *path, struct arena *arena)
{
	struct err err = ERR_INIT;
	struct lines *in = lines_open(path, LINES_MAX_RECORD, NULL, &err);
	struct lines_record line;

	check(in, &err);
	while (lines_next(in, &line, &err) == 1) {
		struct json *row = json_parse(line.text, line.len, &err);
		size_t size;
		const char *s = json_string(json_get(row, "text"), &size);

		if (!s || mem_grow(&texts, &cap, n + 1, sizeof *texts, &err))
			check(NULL, &err);
		texts[n].s = arena_copy(arena, s, size, &err);
		texts[n++].n = size;
		bytes += size;
		json_free(row);
	}
	lines_close(in);
}

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *run(void *arg)
{
	struct err err = ERR_INIT;
	struct encoder *e = encoder_new(tokenizer, &err);
	struct ids ids = IDS_INIT;
	size_t made = 0;

	(void)arg;
	check(e, &err);
	for (size_t i; (i = atomic_fetch_add(&next, 1)) < n; made += ids.n) {
		ids.n = 0;
		if (encoder_encode(e, texts[i].s, texts[i].n, 0, &ids, &err))
			check(NULL, &err);
	}
	tokens += made;
	busy += (size_t)(1e9 * seconds(CLOCK_THREAD_CPUTIME_ID));
	ids_release(&ids);
	encoder_free(e);
	return NULL;
}

int main(int argc, char **argv)
{
	int threads = argc > 3 ? atoi(argv[3]) : 1, rounds = argc > 4 ? atoi(argv[4]) : 5;
	struct arena arena = ARENA_INIT;
	struct err err = ERR_INIT;
	double best = 1e30, least = 1e30, start;
	pthread_t ids[64];

	if (argc < 4 || threads < 1 || threads > 64) {
		fprintf(stderr, "usage: encode FOLDER FILE THREADS [ROUNDS]\n");
		return 2;
	}
	tokenizer = tokenizer_load(argv[1], &err);
	check(tokenizer, &err);
	read_texts(argv[2], &arena);
	for (int round = 0; round < rounds; round++) {
		next = tokens = busy = 0;
		start = seconds(CLOCK_MONOTONIC);
		for (int i = 0; i < threads; i++)
			pthread_create(&ids[i], NULL, run, NULL);
		for (int i = 0; i < threads; i++)
			pthread_join(ids[i], NULL);
		start = seconds(CLOCK_MONOTONIC) - start;
		best = start < best ? start : best;
		least = 1e-9 * (double)busy < least ? 1e-9 * (double)busy : least;
	}
	printf("%.1f MB/s, %.1f MB a processor's second, %zu tokens\n", (double)bytes * 1e-6 / best,
		(double)bytes * 1e-6 / least, (size_t)tokens);
	tokenizer_free(tokenizer);
	arena_release(&arena);
	free(texts);
	return 0;
}
