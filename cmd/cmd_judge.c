#include "cmd/cmd_judge.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LONGEST_ANSWER ((size_t)64 << 10)
#define CHUNK 4096
#define LAST_WORDS 100 /* tenths of its second */

extern char **environ;

void judge_prepare(void)
{
	signal(SIGPIPE, SIG_IGN);
}

static int spawn(struct judge *j, int in, int out)
{
	char shell[] = "sh", option[] = "-c", command[] = "";
	char *argv[] = {shell, option, command, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t pipe_signal;
	int rc;

	argv[2] = strdup(j->command);
	if (!argv[2])
		return ENOMEM;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawnattr_init(&attr);
	sigemptyset(&pipe_signal);
	sigaddset(&pipe_signal, SIGPIPE);
	posix_spawnattr_setsigdefault(&attr, &pipe_signal);
	/* A group of its own: what it started dies with it. */
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	rc = posix_spawn(&j->pid, "/bin/sh", &actions, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	free(argv[2]);
	return rc;
}

static int start(struct judge *j, struct err *err)
{
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC))
		return err_sys(err, "judge '%s'", j->command);
	if (pipe2(out, O_CLOEXEC)) {
		close(in[0]);
		close(in[1]);
		return err_sys(err, "judge '%s'", j->command);
	}
	errno = spawn(j, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	if (errno) {
		j->pid = 0;
		close(in[1]);
		close(out[0]);
		return err_sys(err, "judge '%s'", j->command);
	}
	j->to = in[1];
	j->from = out[0];
	fcntl(j->to, F_SETFL, O_NONBLOCK);
	fcntl(j->from, F_SETFL, O_NONBLOCK);
	buf_clear(&j->answer);
	return 0;
}

/* Its exit status as waitpid() has it, after a moment's patience. */
static int reap(struct judge *j)
{
	const struct timespec moment = {.tv_nsec = 10000000};
	int status = 0;

	for (int i = 0; i < LAST_WORDS; i++) {
		if (waitpid(j->pid, &status, WNOHANG))
			return status;
		nanosleep(&moment, NULL);
	}
	kill(-j->pid, SIGKILL);
	waitpid(j->pid, &status, 0);
	return status;
}

static int stop(struct judge *j)
{
	int status = 0;

	if (!j->pid)
		return 0;
	close(j->to);
	close(j->from);
	status = reap(j);
	j->pid = 0;
	return status;
}

void judge_close(struct judge *j)
{
	stop(j);
	buf_release(&j->answer);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Bytes into the answer: 1, 0 where it has closed its output, -1 with errno. */
static int take(struct judge *j)
{
	char chunk[CHUNK];
	ssize_t n = read(j->from, chunk, sizeof chunk);

	if (n > 0)
		buf_add(&j->answer, chunk, (size_t)n);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 1;
	return n < 0 ? -1 : n > 0;
}

/*
 * Writes the line and reads until there is one: both at once, since a judge may answer before it has read all.
 * 1; 0 where it ended without an answer; -1 with err.
 */
static int talk(struct judge *j, const char *line, size_t n, struct err *err)
{
	const int64_t until = now_ms() + j->timeout * 1000;
	size_t written = 0;
	bool deaf = false;

	while (!j->answer.len || !memchr(j->answer.data, '\n', j->answer.len)) {
		struct pollfd p[2] = {{.fd = j->from, .events = POLLIN},
			{.fd = written < n && !deaf ? j->to : -1, .events = POLLOUT}};
		int64_t left = until - now_ms();
		ssize_t w;

		if (left <= 0)
			return err_set(err, ERR_FAILED, "judge '%s': no answer within %lld seconds",
				j->command, (long long)j->timeout);
		if (j->answer.len > LONGEST_ANSWER)
			return err_set(err, ERR_FAILED,
				"judge '%s': an answer of more than %zu bytes without a line break",
				j->command, LONGEST_ANSWER);
		if (poll(p, 2, (int)(left < 60000 ? left : 60000)) < 0 && errno != EINTR)
			return err_sys(err, "judge '%s'", j->command);
		if (p[1].revents) {
			w = write(j->to, line + written, n - written);
			written += w > 0 ? (size_t)w : 0;
			deaf = w < 0 && errno == EPIPE;
		}
		if (p[0].revents) {
			int got = take(j);

			if (got <= 0)
				return got < 0 ? err_sys(err, "judge '%s'", j->command) : 0;
		}
	}
	return buf_check(&j->answer, err) ? -1 : 1;
}

static int understand(const struct judge *j, char *answer, double *share, struct err *err)
{
	static const struct {
		const char *text;
		double share;
	} words[] = {{"A", 1}, {"B", 0}, {"tie", 0.5}};
	char *text = answer + strspn(answer, " \t\""), *end = text + strlen(text);
	double x;

	while (end > text && strchr(" \t\r\"", end[-1]))
		*--end = 0;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcasecmp(text, words[i].text)) {
			*share = words[i].share;
			return 0;
		}
	x = strtod(text, &end);
	if (end == text || *end || !(x >= 0 && x <= 1))
		return err_set(err, ERR_FAILED,
			"judge '%s': '%.80s' is neither A, B, tie nor a probability", j->command,
			text);
	*share = x;
	return 0;
}

/* The first line of what was read. */
static int take_line(struct judge *j, double *share, struct err *err)
{
	char *end = memchr(j->answer.data, '\n', j->answer.len);
	size_t n = (size_t)(end - j->answer.data) + 1;
	int rc;

	*end = 0;
	rc = understand(j, j->answer.data, share, err);
	memmove(j->answer.data, j->answer.data + n, j->answer.len - n + 1);
	j->answer.len -= n;
	return rc;
}

static int explain_end(struct judge *j, struct err *err)
{
	int status = stop(j);

	if (WIFSIGNALED(status))
		return err_set(err, ERR_FAILED,
			"judge '%s': killed by signal %d before it answered", j->command,
			WTERMSIG(status));
	return err_set(err, ERR_FAILED, "judge '%s': exit %d before it answered", j->command,
		WEXITSTATUS(status));
}

/* Has one that answers a single time gone since? Then there is something to read: the end. */
static bool gone(struct judge *j)
{
	struct pollfd p = {.fd = j->from, .events = POLLIN};

	return j->pid && poll(&p, 1, 0) == 1 && take(j) == 0;
}

int judge_ask(struct judge *j, const char *line, size_t n, double *share, struct err *err)
{
	bool fresh = !j->pid;
	int rc;

	if (gone(j))
		stop(j);
	fresh = fresh || !j->pid;
	if (!j->pid && start(j, err))
		return -1;
	if (j->answer.len) {
		stop(j);
		return err_set(err, ERR_FAILED, "judge '%s': more than one line for a question",
			j->command);
	}
	rc = talk(j, line, n, err);
	/* It may have been about to end after the answer before: that is no failure of this one. */
	if (rc == 0 && !fresh) {
		stop(j);
		rc = start(j, err) ? -1 : talk(j, line, n, err);
	}
	if (rc == 0)
		return explain_end(j, err);
	if (rc < 0 || take_line(j, share, err)) {
		if (j->pid)
			kill(-j->pid, SIGKILL);
		stop(j);
		return -1;
	}
	return 0;
}
