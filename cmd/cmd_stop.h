/*
 * Runs that end early on purpose, at a step's end: SIGTERM and SIGINT, SIGUSR1 which asks for a checkpoint
 * only, and a limit of time. A second SIGTERM or SIGINT kills at once.
 */
#ifndef CMD_STOP_H
#define CMD_STOP_H

#include <stdbool.h>

/* Catches the signals from now on; the time, in seconds, counts from the program's start; 0: no limit. */
void stop_watch(double limit);

/* Is it time to stop? Call it once a step: it leaves time for one more as long as the longest so far. */
bool stop_due(void);

/* Why: "SIGTERM", "the time limit". */
const char *stop_reason(void);

/* Was a checkpoint asked for since the last call? */
bool stop_checkpoint_due(void);

#endif
