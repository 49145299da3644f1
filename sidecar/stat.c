#include "stat.h"

#include <stddef.h>

struct stats stats;

const struct stat_row stat_rows[] = {
#define STAT(field, metric, labels, help) \
	{ metric, labels, help, STAT_COUNTER, offsetof(struct stats, field) },
#define LEVEL(field, metric, labels, help) \
	{ metric, labels, help, STAT_GAUGE, offsetof(struct stats, field) },
#include "stat.def"
};

const struct stat_row stat_ledger_rows[] = {
#define LEDGER(field, metric, labels, help) \
	{ metric, labels, help, STAT_COUNTER, offsetof(struct ledger, field) },
#define LEDGER_LEVEL(field, metric, labels, help) \
	{ metric, labels, help, STAT_GAUGE, offsetof(struct ledger, field) },
#include "stat.def"
};

const unsigned stat_nrows = sizeof(stat_rows) / sizeof(stat_rows[0]);
const unsigned stat_nledger_rows = sizeof(stat_ledger_rows) / sizeof(stat_ledger_rows[0]);
