/*
 * registry.h -- all that a meter keeps: for meter, which writes it, and reading, which reads it.
 * Pure.
 */
#ifndef REGISTRY_H
#define REGISTRY_H

#include "held.h"
#include "hist.h"
#include "instrument.h"
#include "lag.h"
#include "limits.h"
#include "metric.h"
#include "series.h"
#include "topic.h"

struct meter {
	struct hist_layout layouts[HIST_KINDS];
	struct series_store series;
	struct topics topics;
	struct lags lags;
	struct held_store held;
	struct instruments instruments;
	/* of each service: the fixed metrics that have label sets */
	struct family families[LIMIT_SERVICES][METRIC_FIXED - METRIC_LABELLED];
};

#endif
