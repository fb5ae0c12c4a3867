#include "io/conveyor.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum state { WAITING, TAKEN, DONE };

struct slot {
	void *job;
	enum state state;
};

/* Jobs are numbered; those in [out, in) are on the belt, number i in slots[i % length]. */
struct conveyor {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	void (*work)(void *job);
	struct slot *slots;
	unsigned long in, next, out; /* next: the first that no thread has begun */
	int length, threads;
	bool ended, cancelled;
	pthread_t ids[];
};

static void *worker(void *arg)
{
	struct conveyor *c = arg;
	struct slot *s;

	pthread_mutex_lock(&c->lock);
	for (;;) {
		while (c->next == c->in && !c->ended && !c->cancelled)
			pthread_cond_wait(&c->changed, &c->lock);
		if (c->next == c->in || c->cancelled)
			break;
		s = &c->slots[c->next++ % (unsigned long)c->length];
		s->state = TAKEN;
		pthread_mutex_unlock(&c->lock);
		c->work(s->job);
		pthread_mutex_lock(&c->lock);
		s->state = DONE;
		pthread_cond_broadcast(&c->changed);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

struct conveyor *conveyor_new(int threads, int length, void (*work)(void *job), struct err *err)
{
	struct conveyor *c = mem_new(1, sizeof *c + (size_t)threads * sizeof *c->ids, err);
	int rc;

	if (!c)
		return NULL;
	*c = (struct conveyor){.work = work, .length = length};
	c->slots = mem_new((size_t)length, sizeof *c->slots, err);
	if (!c->slots) {
		free(c);
		return NULL;
	}
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	for (; c->threads < threads; c->threads++) {
		rc = pthread_create(&c->ids[c->threads], NULL, worker, c);
		if (rc) {
			err_set(err, ERR_FAILED, "cannot start thread %d: %s", c->threads + 1,
				strerror(rc));
			conveyor_free(c);
			return NULL;
		}
	}
	return c;
}

bool conveyor_put(struct conveyor *c, void *job)
{
	bool taken;

	pthread_mutex_lock(&c->lock);
	while (c->in - c->out == (unsigned long)c->length && !c->cancelled)
		pthread_cond_wait(&c->changed, &c->lock);
	taken = !c->cancelled;
	if (taken)
		c->slots[c->in++ % (unsigned long)c->length] = (struct slot){job, WAITING};
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	return taken;
}

void conveyor_end(struct conveyor *c)
{
	pthread_mutex_lock(&c->lock);
	c->ended = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

void conveyor_cancel(struct conveyor *c)
{
	pthread_mutex_lock(&c->lock);
	c->cancelled = c->ended = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

void *conveyor_take(struct conveyor *c)
{
	struct slot *s;
	void *job = NULL;

	pthread_mutex_lock(&c->lock);
	while (c->out == c->in && !c->ended)
		pthread_cond_wait(&c->changed, &c->lock);
	if (c->out < c->in) {
		s = &c->slots[c->out % (unsigned long)c->length];
		while (s->state == TAKEN || (s->state == WAITING && c->threads && !c->cancelled))
			pthread_cond_wait(&c->changed, &c->lock);
		job = s->job;
		if (s->state == WAITING && c->next == c->out)
			c->next++;
		c->out++;
		pthread_cond_broadcast(&c->changed);
		if (s->state == WAITING && !c->cancelled) {
			pthread_mutex_unlock(&c->lock);
			c->work(job);
			return job;
		}
	}
	pthread_mutex_unlock(&c->lock);
	return job;
}

int conveyor_run(const struct conveyor_run *r, struct err *err)
{
	struct conveyor *belt = conveyor_new(r->threads, r->n, r->work, err);
	struct err first = ERR_INIT;
	int filled = 0, taken = 0, rc = belt ? 1 : -1, taking = 0;

	while (belt && (rc == 1 || (taken < filled && !taking))) {
		if (rc == 1 && filled - taken < r->n) {
			rc = r->fill(r->context, r->jobs[filled % r->n], err);
			if (rc == 1 && conveyor_put(belt, r->jobs[filled % r->n]))
				filled++;
			else if (rc < 0)
				first = *err;
			continue;
		}
		taking = r->take(r->context, conveyor_take(belt), err);
		taken++;
		if (taking)
			rc = -1;
	}
	if (belt)
		conveyor_cancel(belt);
	for (; taken < filled; taken++)
		conveyor_take(belt);
	conveyor_free(belt);
	if (first.code && !taking)
		*err = first;
	return rc < 0 || taking ? -1 : 0;
}

void conveyor_free(struct conveyor *c)
{
	if (!c)
		return;
	conveyor_end(c);
	for (int i = 0; i < c->threads; i++)
		pthread_join(c->ids[i], NULL);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->changed);
	free(c->slots);
	free(c);
}
