/*
 * reading.h -- every metric and every point there is at one instant, for those who print or send
 * them. Pure.
 *
 * Both ways out, /metrics and OTLP, walk this one list, and so agree by construction. Metrics are
 * numbered; a metric has points for each service, for one service (instruments) or for the daemon.
 * Nothing may be fed to the meter while a walk goes on.
 */
#ifndef READING_H
#define READING_H

#include "base/clock.h"
#include "hist.h"
#include "labels.h"
#include "metric.h"
#include "process.h"
#include "service.h"
#include "text.h"

#include <stdbool.h>
#include <stdint.h>

struct meter;

struct reading { /* all borrowed */
	const struct meter *meter;
	const struct services *services;
	const struct process *process;
	struct mono now;
};

/* Whose points: the number of a service, or the daemon. */
#define READING_DAEMON UINT32_MAX

/* Numbers of metrics lie below this. */
uint32_t reading_end(const struct reading *);

/* What metric a number stands for. False: none of its own. */
bool reading_metric(const struct reading *, uint32_t id, struct metric *);

/* The same for /metrics, block by block: false too when it is hidden, or stands in an earlier one's
 * block. */
bool reading_block(const struct reading *, uint32_t id, struct metric *);
/* The owners of a block's points, one after the other; false: no more. Going on to another owner
 * may change *id too, for several services may have instruments of one name. */
bool reading_owner(const struct reading *, uint32_t *id, uint32_t *who, bool begin);

/* The metrics of one owner, one after the other: begin with READING_FIRST; READING_FIRST again: no
 * more. */
#define READING_FIRST UINT32_MAX
uint32_t reading_next(const struct reading *, uint32_t who, uint32_t id, struct metric *);

enum point_form { POINT_WHOLE, POINT_REAL, POINT_HIST };

struct point {
	struct text key,
	    attrs; /* as in labels.h; without the service's name; until the next point */
	enum point_form form;
	uint64_t whole;
	double real;
	const struct hist *hist;
	const struct hist_layout *layout;
	double sum;    /* of hist */
	bool negative; /* there are samples below 0 in that sum */
};

struct cursor {
	uint32_t id, who;
	uint32_t topic, number; /* where it is; zero to begin */
	bool over;
};

/* The next point of metric id of that owner. labels: room for those that are made on the way. */
bool reading_point(const struct reading *, struct cursor *, struct labels *, struct point *);

#endif
