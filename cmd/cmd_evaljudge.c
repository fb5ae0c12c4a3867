/* evalwin --judge: verdicts made by programs, then evaluated as those of files are. */
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "cmd/cmd_eval.h"
#include "cmd/cmd_judge.h"
#include "cmd/cmd_judgecache.h"
#include "cmd/cmd_pairs.h"
#include "eval/table.h"
#include "io/file.h"
#include "io/json.h"

#define FAILURES_IN_A_ROW 10 /* of questions: then the judge is taken for broken */
#define FIRST_PAUSE                                                                                \
	250000000L /* nanoseconds before the first retry; twice as long before the next */

enum state { WAITING, ASKED, ANSWERED, FAILED };

/* A question to a judge, asked once however many pairs it stands for. */
struct question {
	char *line;
	size_t len;
	char key[65];
	int judge;
	enum state state;
	double share; /* of a */
};

/* Two answers before a judge, in both orders: question[0] has the base first. */
struct trial {
	int pair, judge;
	size_t question[2];
};

struct court {
	const struct eval_options *o;
	struct pairs pairs;
	struct names keys; /* of questions, by their place */
	struct question *questions;
	size_t n, cap;
	struct trial *trials;
	size_t ntrials;
	struct judgecache cache;
	/* For all workers, under the lock. */
	pthread_mutex_t lock;
	size_t next;
	int64_t calls, answered, failed, in_a_row;
	bool stop;
	struct err why; /* the last failure, or what stopped it */
};

/* ---- questions */

static void make_key(char key[65], const char *judge, const struct buf *line)
{
	uint8_t digest[32];
	struct sha256 h;

	sha256_init(&h);
	sha256_add(&h, judge, strlen(judge) + 1);
	sha256_add(&h, line->data, line->len);
	sha256_finish(&h, digest);
	sha256_hex(digest, key);
}

/* The place of a question, a new one where nobody asks it yet. */
static int add_question(struct court *c, int judge, const struct pair *p, bool model_first,
	size_t *place, struct err *err)
{
	struct buf line = BUF_INIT;
	struct question *q;
	char key[65];
	int i = -1;

	buf_add_fmt(&line, "{\"prompt\":%s,\"a\":%s,\"b\":%s}\n", p->prompt,
		model_first ? p->answer[1] : p->answer[0],
		model_first ? p->answer[0] : p->answer[1]);
	if (buf_check(&line, err) == 0) {
		make_key(key, c->o->judges.v[judge], &line);
		i = names_add(&c->keys, key, strlen(key), err);
	}
	if (i < 0 || (size_t)i < c->n) {
		buf_release(&line);
		*place = (size_t)i;
		return i < 0 ? -1 : 0;
	}
	if (mem_grow(&c->questions, &c->cap, c->n + 1, sizeof *c->questions, err)) {
		buf_release(&line);
		return -1;
	}
	*place = c->n;
	q = &c->questions[c->n++];
	*q = (struct question){.line = line.data, .len = line.len, .judge = judge};
	memcpy(q->key, key, sizeof key);
	if (judgecache_find(&c->cache, key, &q->share))
		q->state = ANSWERED;
	return 0;
}

static int make_trials(struct court *c, struct err *err)
{
	size_t n;

	if (!size_mul(c->pairs.n, c->o->judges.n, &n))
		return err_set(err, ERR_LIMIT, "too many pairs");
	c->trials = mem_new(n, sizeof *c->trials, err);
	if (!c->trials)
		return -1;
	for (size_t p = 0; p < c->pairs.n; p++)
		for (size_t j = 0; j < c->o->judges.n; j++) {
			struct trial *t = &c->trials[c->ntrials++];

			*t = (struct trial){.pair = (int)p, .judge = (int)j};
			if (add_question(
				    c, (int)j, &c->pairs.all[p], false, &t->question[0], err) ||
				add_question(
					c, (int)j, &c->pairs.all[p], true, &t->question[1], err))
				return -1;
		}
	return 0;
}

/* ---- workers */

/* The next question, or NULL where there is none, or no budget is left for it. */
static struct question *take_question(struct court *c)
{
	struct question *q = NULL;

	pthread_mutex_lock(&c->lock);
	while (c->next < c->n && c->questions[c->next].state != WAITING)
		c->next++;
	if (!c->stop && c->next < c->n && (c->o->budget < 0 || c->calls < c->o->budget)) {
		q = &c->questions[c->next];
		q->state = ASKED;
		c->calls++;
	}
	pthread_mutex_unlock(&c->lock);
	return q;
}

/* Another call for the same question; false where there may be none. */
static bool take_retry(struct court *c)
{
	bool may;

	pthread_mutex_lock(&c->lock);
	may = !c->stop && (c->o->budget < 0 || c->calls < c->o->budget);
	c->calls += may;
	pthread_mutex_unlock(&c->lock);
	return may;
}

/* What a call came to: an answer is on disk before anything else. */
static void settle(struct court *c, struct question *q, bool good, const struct err *failure)
{
	struct err err = ERR_INIT;

	pthread_mutex_lock(&c->lock);
	if (good) {
		c->in_a_row = 0;
		c->answered++;
		q->state = ANSWERED;
		if (judgecache_add(&c->cache, q->key, q->share, &err)) {
			c->why = err;
			c->stop = true;
		}
	} else {
		q->state = FAILED;
		c->failed++;
		c->in_a_row++;
		if (!c->stop)
			c->why = *failure;
		c->stop = c->stop || c->in_a_row >= FAILURES_IN_A_ROW;
	}
	cmd_progress((uint64_t)(c->answered + c->failed), ", %" PRId64 " failed", c->failed);
	pthread_mutex_unlock(&c->lock);
}

static void ask(struct court *c, struct judge *judge, struct question *q)
{
	struct timespec pause = {.tv_nsec = FIRST_PAUSE};
	struct err err = ERR_INIT;
	bool good = judge_ask(judge, q->line, q->len, &q->share, &err) == 0;

	for (int64_t i = 0; !good && i < c->o->retries && take_retry(c); i++) {
		nanosleep(&pause, NULL);
		pause.tv_sec = pause.tv_sec * 2 + pause.tv_nsec * 2 / 1000000000L;
		pause.tv_nsec = pause.tv_nsec * 2 % 1000000000L;
		err = (struct err)ERR_INIT;
		good = judge_ask(judge, q->line, q->len, &q->share, &err) == 0;
	}
	settle(c, q, good, &err);
}

static void *work(void *context)
{
	struct court *c = context;
	struct judge judges[CMD_MAX_STRINGS];
	struct question *q;

	for (size_t i = 0; i < c->o->judges.n; i++)
		judges[i] = (struct judge)JUDGE_INIT(c->o->judges.v[i], c->o->timeout);
	while ((q = take_question(c)))
		ask(c, &judges[q->judge], q);
	for (size_t i = 0; i < c->o->judges.n; i++)
		judge_close(&judges[i]);
	return NULL;
}

/* Asks all that wait. Only what stopped it, and not single failures, is an error. */
static int hold_court(struct court *c, struct err *err)
{
	pthread_t *threads = mem_new((size_t)c->o->jobs, sizeof *threads, err);
	uint64_t waiting = 0;
	int64_t started = 0;

	if (!threads)
		return -1;
	for (size_t i = 0; i < c->n; i++)
		waiting += c->questions[i].state == WAITING;
	cmd_progress_start("questions", waiting);
	while (started < c->o->jobs && started < (int64_t)waiting &&
		pthread_create(&threads[started], NULL, work, c) == 0)
		started++;
	if (!started && waiting)
		work(c);
	for (int64_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	cmd_progress_end();
	free(threads);
	if (c->failed && !c->stop)
		cmd_say("%" PRId64 " questions failed; the last: %s", c->failed, c->why.text);
	if (!c->stop)
		return 0;
	return err_set(err, c->why.code, "%s; %" PRId64 " verdicts of this run are in %s",
		c->why.text, c->answered, c->o->cache);
}

/* ---- verdicts */

static int to_verdicts(const struct court *c, struct verdicts *v, struct err *err)
{
	for (size_t i = 0; i < c->ntrials; i++) {
		const struct trial *t = &c->trials[i];
		const struct pair *p = &c->pairs.all[t->pair];
		const char *judge = c->o->judges.v[t->judge];
		struct verdict one = {
			.group = -1, .base_length = p->length[0], .model_length = p->length[1]};

		one.base = names_add(&v->models, p->name[0], strlen(p->name[0]), err);
		one.model = names_add(&v->models, p->name[1], strlen(p->name[1]), err);
		one.item = names_add(&v->items, p->prompt, strlen(p->prompt), err);
		one.judge = names_add(&v->judges, judge, strlen(judge), err);
		if (p->group)
			one.group = names_add(&v->groups, p->group, strlen(p->group), err);
		if (one.base < 0 || one.model < 0 || one.item < 0 || one.judge < 0 ||
			(p->group && one.group < 0))
			return -1;
		for (int side = 0; side < 2; side++) {
			const struct question *q = &c->questions[t->question[side]];

			if (q->state != ANSWERED) {
				v->unjudged++;
				continue;
			}
			one.first = side ? FIRST_MODEL : FIRST_BASE;
			one.value = side ? q->share : 1 - q->share;
			if (verdicts_add(v, &one, err))
				return -1;
		}
	}
	return 0;
}

/* As alpaca_eval's annotations, which evalwin reads again. */
static int save(const struct court *c, const char *path, struct err *err)
{
	struct buf text = BUF_INIT;
	int rc;

	for (size_t i = 0; i < 2 * c->ntrials; i++) {
		const struct trial *t = &c->trials[i / 2];
		const struct pair *p = &c->pairs.all[t->pair];
		const struct question *q = &c->questions[t->question[i % 2]];

		if (q->state != ANSWERED)
			continue;
		buf_add_fmt(&text, "{\"instruction\":%s,\"generator_1\":", p->prompt);
		json_quote_bytes(&text, p->name[0], strlen(p->name[0]));
		buf_add_str(&text, ",\"generator_2\":");
		json_quote_bytes(&text, p->name[1], strlen(p->name[1]));
		buf_add_str(&text, ",\"annotator\":");
		json_quote_bytes(&text, c->o->judges.v[t->judge], strlen(c->o->judges.v[t->judge]));
		buf_add_fmt(&text,
			",\"is_switched_outputs\":%s,\"preference\":", i % 2 ? "true" : "false");
		json_put_number(&text, 1 + (i % 2 ? q->share : 1 - q->share));
		buf_add_fmt(
			&text, ",\"output_1\":%s,\"output_2\":%s}\n", p->answer[0], p->answer[1]);
	}
	rc = buf_check(&text, err) ? -1 : file_write(path, text.data, text.len, err);
	buf_release(&text);
	return rc;
}

static void release(struct court *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->questions[i].line);
	free(c->questions);
	free(c->trials);
	names_release(&c->keys);
	judgecache_close(&c->cache);
	pairs_release(&c->pairs);
	pthread_mutex_destroy(&c->lock);
}

int eval_judge(const struct eval_options *o, char *const *paths, int n, struct eval_output *out,
	struct err *err)
{
	struct court c = {.o = o, .cache = {.fd = -1}, .lock = PTHREAD_MUTEX_INITIALIZER};
	struct verdicts v = {.n = 0};
	int rc = -1;

	judge_prepare();
	if (pairs_read(&c.pairs, paths, n, o->by, err) ||
		judgecache_open(&c.cache, o->cache, err) || make_trials(&c, err) ||
		hold_court(&c, err) || to_verdicts(&c, &v, err) ||
		(o->save_verdicts && save(&c, o->save_verdicts, err)))
		goto out;
	rc = eval_verdicts(o, &v, out, err);
out:
	verdicts_release(&v);
	release(&c);
	return rc;
}
