#include "cmd/cmd_metrics.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "io/json.h"

static int open_from(struct metrics *m, int64_t from, struct err *err)
{
	struct stat st;

	m->file = fopen(m->path, from ? "r+e" : "we");
	if (!m->file || fstat(fileno(m->file), &st))
		return err_sys(err, "%s", m->path);
	if (!S_ISREG(st.st_mode) || !from)
		return 0;
	if (st.st_size < from)
		return err_set(err, ERR_MISMATCH, "%s: %lld bytes, where the run left %lld", m->path, (long long)st.st_size,
			(long long)from);
	if (ftruncate(fileno(m->file), from) || fseeko(m->file, 0, SEEK_END))
		return err_sys(err, "%s", m->path);
	return 0;
}

int metrics_open(struct metrics *m, const char *path, int64_t from, const struct loss *l, struct err *err)
{
	*m = (struct metrics){.path = path, .loss = l};
	if (path && strcmp(path, "-"))
		return open_from(m, from, err);
	m->file = path ? stdout : NULL;
	return 0;
}

int metrics_sync(struct metrics *m, int64_t *bytes, struct err *err)
{
	struct stat st;

	*bytes = 0;
	if (!m->file || fstat(fileno(m->file), &st) || !S_ISREG(st.st_mode) || m->file == stdout)
		return 0;
	*bytes = st.st_size;
	return fsync(fileno(m->file)) ? err_sys(err, "%s", m->path) : 0;
}

static void put(struct buf *b, const char *prefix, const char *key, double x)
{
	buf_add_fmt(b, "%s\"%s%s\":", b->len > 1 ? "," : "", prefix, key);
	json_put_number(b, x);
}

double metrics_mean(double sum, double n)
{
	return n > 0 ? sum / n : 0;
}

static void put_side(struct buf *b, const char *prefix, const char *name, const struct judge_side *side)
{
	char key[40];

	snprintf(key, sizeof key, "logps/%s", name);
	put(b, prefix, key, metrics_mean(side->logp, (double)side->completions));
	snprintf(key, sizeof key, "logits/%s", name);
	put(b, prefix, key, metrics_mean(side->logit, (double)side->counted));
}

static void put_common(struct buf *b, const char *prefix, const struct loss *l, const struct judge_step *s)
{
	const struct judge_side *w = &s->chosen, *r = &s->rejected;
	double chosen = metrics_mean(w->reward, (double)w->completions);
	double rejected = metrics_mean(r->reward, (double)r->completions);

	put(b, prefix, "loss", metrics_mean(s->loss, s->loss_weight));
	put(b, prefix, "entropy", metrics_mean(s->entropy, (double)(w->counted + r->counted)));
	put(b, prefix, "mean_token_accuracy", metrics_mean(w->hits, (double)w->counted));
	put_side(b, prefix, "chosen", w);
	if (loss_completions(l, 2) == 1)
		return;
	put_side(b, prefix, "rejected", r);
	put(b, prefix, "rewards/chosen", chosen);
	put(b, prefix, "rewards/rejected", rejected);
	if (s->compared)
		put(b, prefix, "rewards/accuracies", metrics_mean(s->right, (double)s->compared));
	put(b, prefix, "rewards/margins",
		s->compared ? metrics_mean(s->margin, (double)s->compared) : chosen - rejected);
	if (loss_has(l, LOSS_KTO))
		put(b, prefix, "kl", metrics_mean(s->kl, (double)s->examples));
	if (loss_has(l, LOSS_BCO))
		put(b, prefix, "delta", metrics_mean(s->delta, (double)s->examples));
}

static int write_line(struct metrics *m, struct buf *b, struct err *err)
{
	int rc;

	buf_add_str(b, "}\n");
	rc = buf_check(b, err);
	if (rc == 0 && (fwrite(b->data, 1, b->len, m->file) != b->len || fflush(m->file)))
		rc = err_sys(err, "%s", m->path);
	buf_release(b);
	return rc;
}

int metrics_train(struct metrics *m, int64_t step, double epoch, double lr, int64_t tokens,
	const struct judge_step *s, struct err *err)
{
	struct buf b = BUF_INIT;

	if (!m->file)
		return 0;
	buf_add_char(&b, '{');
	put(&b, "", "step", (double)step);
	put(&b, "", "epoch", epoch);
	put_common(&b, "", m->loss, s);
	put(&b, "", "grad_norm", metrics_mean(s->grad_norm, (double)s->examples));
	put(&b, "", "learning_rate", lr);
	put(&b, "", "num_tokens", (double)tokens);
	return write_line(m, &b, err);
}

int metrics_eval(struct metrics *m, int64_t step, double epoch, const struct judge_step *s, struct err *err)
{
	struct buf b = BUF_INIT;

	if (!m->file)
		return 0;
	buf_add_char(&b, '{');
	put(&b, "", "step", (double)step);
	put(&b, "", "epoch", epoch);
	put_common(&b, "eval_", m->loss, s);
	return write_line(m, &b, err);
}

int metrics_close(struct metrics *m, struct err *err)
{
	int rc = 0;

	if (m->file && (m->file == stdout ? fflush(m->file) : fclose(m->file)))
		rc = err_sys(err, "%s", m->path);
	m->file = NULL;
	return rc;
}
