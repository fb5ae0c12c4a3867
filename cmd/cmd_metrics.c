#include "cmd/cmd_metrics.h"

#include <string.h>

#include "base/buf.h"
#include "io/json.h"

int metrics_open(struct metrics *m, const char *path, bool pairs, struct err *err)
{
	*m = (struct metrics){.path = path, .pairs = pairs};
	if (!path)
		return 0;
	m->file = strcmp(path, "-") ? fopen(path, "we") : stdout;
	return m->file ? 0 : err_sys(err, "%s", path);
}

static void put(struct buf *b, const char *prefix, const char *key, double x)
{
	buf_add_fmt(b, "%s\"%s%s\":", b->len > 1 ? "," : "", prefix, key);
	json_put_number(b, x);
}

static void put_common(struct buf *b, const char *prefix, bool pairs, const struct trainer_step *s)
{
	put(b, prefix, "loss", s->loss);
	put(b, prefix, "entropy", s->entropy);
	put(b, prefix, "mean_token_accuracy", s->hits);
	put(b, prefix, "logps/chosen", s->chosen_logp);
	put(b, prefix, "logits/chosen", s->chosen_logit);
	if (!pairs)
		return;
	put(b, prefix, "logps/rejected", s->rejected_logp);
	put(b, prefix, "logits/rejected", s->rejected_logit);
	put(b, prefix, "rewards/chosen", s->chosen_reward);
	put(b, prefix, "rewards/rejected", s->rejected_reward);
	put(b, prefix, "rewards/accuracies", s->accuracy);
	put(b, prefix, "rewards/margins", s->margin);
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
	const struct trainer_step *s, struct err *err)
{
	struct buf b = BUF_INIT;

	if (!m->file)
		return 0;
	buf_add_char(&b, '{');
	put(&b, "", "step", (double)step);
	put(&b, "", "epoch", epoch);
	put_common(&b, "", m->pairs, s);
	put(&b, "", "grad_norm", s->grad_norm);
	put(&b, "", "learning_rate", lr);
	put(&b, "", "num_tokens", (double)tokens);
	return write_line(m, &b, err);
}

int metrics_eval(struct metrics *m, int64_t step, double epoch, const struct trainer_step *s, struct err *err)
{
	struct buf b = BUF_INIT;

	if (!m->file)
		return 0;
	buf_add_char(&b, '{');
	put(&b, "", "step", (double)step);
	put(&b, "", "epoch", epoch);
	put_common(&b, "eval_", m->pairs, s);
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
